package hass

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
)

// maxComponents bounds what is read of a configuration: whoever may write to the
// broker can forge one.
const maxComponents = 500

var (
	keyForm      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	platformForm = regexp.MustCompile(`^[a-z_]{1,32}$`)
)

// readComponents returns the keys of a retained configuration's components with
// their platforms; nil if it is none. Home Assistant takes both the long and the
// short names of the keys.
func readComponents(payload []byte) map[string]string {
	type component struct {
		Platform string `json:"platform"`
		P        string `json:"p"`
	}
	var c struct {
		Components map[string]component `json:"components"`
		Cmps       map[string]component `json:"cmps"`
	}
	if json.Unmarshal(payload, &c) != nil {
		return nil
	}
	out := map[string]string{}
	for _, cs := range []map[string]component{c.Components, c.Cmps} {
		for _, key := range slices.Sorted(maps.Keys(cs)) {
			platform := cs[key].Platform
			if platform == "" {
				platform = cs[key].P
			}
			if len(out) < maxComponents && keyForm.MatchString(key) && platformForm.MatchString(platform) {
				out[key] = platform
			}
		}
	}
	return out
}
