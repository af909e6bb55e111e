package hass

import (
	"encoding/json"
	"fmt"

	"github.com/thingwarden/thingwarden/discovery"
)

// deviceMessages are all retained messages of one device.
type deviceMessages struct {
	id      discovery.ID
	config  message
	keys    map[string]string // of the configuration's components, with their platforms
	states  []message         // sorted by topic
	content config
}

type message struct {
	topic   string
	payload []byte
	sum     sum
}

func newMessage(topic string, payload []byte) message {
	return message{topic, payload, sumOf(payload)}
}

// config is a discovery message for a whole device. Home Assistant drops the
// message when its root or its device has a key that it does not know.
type config struct {
	Device       device               `json:"device"`
	Origin       origin               `json:"origin"`
	Availability string               `json:"availability_topic"`
	QoS          int                  `json:"qos"`
	Components   map[string]component `json:"components"`
}

type device struct {
	Identifiers  []string    `json:"identifiers"`
	Connections  [][2]string `json:"connections,omitempty"`
	Name         string      `json:"name"`
	Manufacturer string      `json:"manufacturer,omitempty"`
	Model        string      `json:"model,omitempty"`
	SWVersion    string      `json:"sw_version,omitempty"`
	HWVersion    string      `json:"hw_version,omitempty"`
	ViaDevice    string      `json:"via_device,omitempty"`
	// ConfigurationURL is where Home Assistant's "Visit" leads.
	ConfigurationURL string `json:"configuration_url,omitempty"`
}

type origin struct {
	Name       string `json:"name"`
	SWVersion  string `json:"sw_version,omitempty"`
	SupportURL string `json:"support_url,omitempty"`
}

// component is an entity. A key with the value null makes Home Assistant refuse
// the component, so what is not set is left out.
type component struct {
	Platform           string   `json:"platform"`
	UniqueID           string   `json:"unique_id,omitempty"`
	DefaultEntityID    string   `json:"default_entity_id,omitempty"`
	Name               string   `json:"name,omitempty"`
	DeviceClass        string   `json:"device_class,omitempty"`
	EntityCategory     string   `json:"entity_category,omitempty"`
	Icon               string   `json:"icon,omitempty"`
	StateClass         string   `json:"state_class,omitempty"`
	Options            []string `json:"options,omitempty"`
	EventTypes         []string `json:"event_types,omitempty"`
	StateTopic         string   `json:"state_topic,omitempty"`
	ValueTemplate      string   `json:"value_template,omitempty"`
	AttributesTopic    string   `json:"json_attributes_topic,omitempty"`
	AttributesTemplate string   `json:"json_attributes_template,omitempty"`
	CommandTopic       string   `json:"command_topic,omitempty"`
}

// Platforms of Home Assistant.
const (
	binarySensor = "binary_sensor"
	sensor       = "sensor"
	button       = "button"
	toggle       = "switch"
	eventEntity  = "event"
)

// States of a binary sensor or switch; none is "unknown".
const (
	on   = "ON"
	off  = "OFF"
	none = "None"
)

func onOff(b bool) string {
	if b {
		return on
	}
	return off
}

// reserved are the keys of components that are no findings.
var reserved = map[string]bool{
	"problem": true, "score": true, "trusted": true, "check": true,
	"critical": true, "high": true, "medium": true, "low": true, "info": true, "worst": true,
	"last_scan": true, "health": true, "critical_open": true, "event_device": true, "event_finding": true,
	"zigbee_join_open": true, "zwave_inclusion_open": true, "matter_window_open": true,
}

// entity fills in what all components have in common.
func (n names) entity(id discovery.ID, key string, c component) component {
	c.UniqueID = n.identifier(id) + "_" + key
	c.DefaultEntityID = c.Platform + "." + c.UniqueID
	return c
}

// encode writes JSON. Maps are sorted, so the same value gives the same bytes.
// None of our types can fail to encode.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("hass: encoding %T: %v", v, err))
	}
	return b
}
