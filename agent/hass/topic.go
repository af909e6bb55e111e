package hass

import (
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"github.com/thingwarden/thingwarden/discovery"
)

// Root is the first part of all our topics but the configurations.
const Root = "thingwarden"

// StatusTopic is the one availability topic of a site: "online" or "offline",
// retained. The MQTT session publishes both, as birth and will.
func StatusTopic(site string) string { return Root + "/" + site + "/status" }

// SyncTopic is on which the MQTT session of a site sends itself messages; never
// retained.
func SyncTopic(site string) string { return Root + "/" + site + "/sync" }

// What stands on StatusTopic.
const (
	Online  = "online"
	Offline = "offline"
)

const stateName = "state" // last part of the topic of a device's own state

// No text of a device is ever part of a topic (threat T6): only ids and the
// names of policies, and these only in this form.
var (
	idForm     = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)
	policyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
)

// names are the topics and ids of one site.
type names struct{ site, prefix string }

func (n names) root() string { return Root + "/" + n.site }

func (n names) config(id discovery.ID) string {
	return n.prefix + "/device/" + n.identifier(id) + "/config"
}

func (n names) identifier(id discovery.ID) string { return Root + "_" + n.site + "_" + string(id) }

func (n names) state(id discovery.ID) string { return n.root() + "/" + string(id) + "/" + stateName }

func (n names) finding(id discovery.ID, policy string) string {
	return n.root() + "/" + string(id) + "/" + policyTopic(policy)
}

func (n names) command(id discovery.ID, what string) string {
	return n.root() + "/" + string(id) + "/" + what + "/set"
}

func (n names) event(kind string) string { return n.root() + "/event/" + kind }

func (n names) result() string { return n.root() + "/command/result" }

// configOf returns the device of a configuration topic of this site.
func (n names) configOf(topic string) (discovery.ID, bool) {
	rest, ok := strings.CutPrefix(topic, n.prefix+"/device/"+n.identifier(""))
	id, ok2 := strings.CutSuffix(rest, "/config")
	return discovery.ID(id), ok && ok2 && idForm.MatchString(id)
}

// stateOf returns the device of a state topic of this site: its own, or that of
// a finding.
func (n names) stateOf(topic string) (discovery.ID, bool) {
	rest, ok := strings.CutPrefix(topic, n.root()+"/")
	id, name, ok2 := strings.Cut(rest, "/")
	return discovery.ID(id), ok && ok2 && id != "event" && id != "command" &&
		idForm.MatchString(id) && policyForm.MatchString(name)
}

// policyTopic is a policy's id as part of a topic.
func policyTopic(id string) string {
	if policyForm.MatchString(id) && id != stateName {
		return id
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return "policy-" + strconv.FormatUint(h.Sum64(), 16)
}

// policyKey is a policy's id as the key of a component and as part of a unique_id.
func policyKey(id string) string {
	key := strings.ReplaceAll(policyTopic(id), "-", "_")
	if reserved[key] {
		return "policy_" + key
	}
	return key
}
