package policy

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// sentences declares what `evidence` needs to make a sentence of a list word:
// word.listed() gives "a, b and c", and word.ports(), of tokens of port mappings,
// "TCP port 8554 to port 554 and UDP port 53 to port 53".
func sentences() cel.EnvOption {
	list := []*cel.Type{cel.ListType(cel.StringType)}
	listed := cel.Function("listed", cel.MemberOverload("list_listed", list, cel.StringType, onTexts(enumerate)))
	ports := cel.Function("ports", cel.MemberOverload("list_ports", list, cel.StringType, onTexts(func(tokens []string) string {
		out := make([]string, len(tokens))
		for i, t := range tokens {
			out[i] = mapping(t)
		}
		return enumerate(out)
	})))
	return func(e *cel.Env) (*cel.Env, error) {
		e, err := listed(e)
		if err != nil {
			return nil, err
		}
		return ports(e)
	}
}

// onTexts makes a function of CEL from one on texts.
func onTexts(f func([]string) string) cel.OverloadOpt {
	return cel.UnaryBinding(func(v ref.Val) ref.Val {
		native, err := v.ConvertToNative(reflect.TypeFor[[]string]())
		if err != nil {
			return types.NewErr("want a list of texts: %v", err)
		}
		return types.String(f(native.([]string)))
	})
}

// maxListed is how many items of a list a sentence names.
const maxListed = 5

// enumerate joins texts as a sentence does, and counts those beyond maxListed.
func enumerate(texts []string) string {
	if more := len(texts) - maxListed; more > 1 {
		texts = append(texts[:maxListed:maxListed], fmt.Sprintf("%d more", more))
	}
	switch last := len(texts) - 1; last {
	case -1:
		return "none"
	case 0:
		return texts[0]
	default:
		return strings.Join(texts[:last], ", ") + " and " + texts[last]
	}
}

// token is a port mapping of a list word: tcp/8554>554, with the address inside
// before it where it is not that of the device.
var token = regexp.MustCompile(`^(?:(\S+) )?(tcp|udp)/(\d+)>(\d+)$`)

// mapping says a token in words; it returns any other text as it stands.
func mapping(text string) string {
	m := token.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	out := fmt.Sprintf("%s port %s to port %s", strings.ToUpper(m[2]), m[3], m[4])
	if m[1] != "" {
		out += " of " + m[1]
	}
	return out
}
