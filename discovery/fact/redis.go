package fact

// Words about databases that speak the Redis protocol.
var (
	RedisOpen      = word[bool]("redis.open", week, "A Redis database answers on the network.")
	RedisAnonymous = word[bool]("redis.anonymous", week, "The Redis database answers anyone, without a password.")
)
