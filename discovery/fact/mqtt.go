package fact

// Words about message brokers (MQTT).
var (
	MQTTOpen      = word[bool]("mqtt.open", week, "A message broker (MQTT) answers without encryption.")
	MQTTAnonymous = word[bool]("mqtt.anonymous", week, "The message broker (MQTT) lets anyone connect without a password.")
)
