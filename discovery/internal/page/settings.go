package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/thingwarden/thingwarden/discovery/fact"
)

// maxHeading is the longest title or heading, in runes, that says what a page is
// for; what is longer is a text.
const maxHeading = 60

var (
	// settingsWord is what pages of settings are called in the languages that
	// devices speak.
	settingsWord = wordsOf(
		`settings?|set-?up|configuration|configure|config|administration|admin|management`,
		`einstellungen|konfiguration|einrichtung|verwaltung|paramètres|réglages|configuración|ajustes|administración`, //nolint:misspell // German
		`impostazioni|configurazione|amministrazione|instellingen|configuratie|beheer|ustawienia|konfiguracja`,
		`inställningar|indstillinger|innstillinger|asetukset|configurações|definições|nastavení|nastavenia`,
		`beállítások|setări|nastavitve|postavke|ρυθμίσεις|настройки|настройка|налаштування|ayarlar|yönetim`)
	settingsSign = regexp.MustCompile(`设置|設定|设定|配置|管理|설정|관리`)

	loginWord = wordsOf(`log ?in|log ?on|sign ?in|password|authentication|anmelden|anmeldung|einloggen|kennwort|passwort`,
		`connexion|identification|mot de passe|iniciar sesión|contraseña|accedi|accesso|inloggen|aanmelden|wachtwoord`,
		`zaloguj|logowanie|logga in|log ind|logg inn|kirjaudu|entrar|přihlášení|bejelentkezés|вход|авторизация|giriş`)
	loginSign = regexp.MustCompile(`登录|登錄|登入|ログイン|로그인`)
)

// wordsOf matches whole words of text in lower case; Go's \b knows no letters but
// those of English.
func wordsOf(lists ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[^\p{L}])(?:` + strings.Join(lists, "|") + `)(?:$|[^\p{L}])`)
}

// noteHeading takes in a title or heading.
func (f *Form) noteHeading(text string) {
	text = fact.Clean(text, 2*maxHeading)
	if len([]rune(text)) > maxHeading {
		return
	}
	low := strings.ToLower(text)
	f.Login = f.Login || loginWord.MatchString(low) || loginSign.MatchString(low)
	if f.heading == "" && (settingsWord.MatchString(low) || settingsSign.MatchString(low)) {
		f.heading = text
	}
}

// The names of fields: parts that say enough by themselves, and parts in which a
// longer name may hide, as in "wlan0ssid1".
var (
	settingsParts = []string{
		"ip", "dns", "dhcp", "ntp", "ota", "reboot", "restart", "factory", "wifi", "wlan", "lan", "wan", "subnet", "upnp",
		"port", "timezone", "tz", "firmware", "update", "upgrade",
	}
	settingsStems = []string{
		"ssid", "firmware", "upgrade", "fwupdate", "reboot", "netmask", "gateway", "mqtt", "hostname", "ipaddr",
		"factoryreset", "timezone", "ntpserver", "dnsserver",
	}
	loginNames = []string{"user", "username", "login", "loginname", "account", "uname", "userid"}
)

// noteField takes in a field or button of a form: sent by POST and named after a
// setting, it changes it.
func (f *Form) noteField(tag html.Token, hidden bool) {
	if hidden || tag.DataAtom == atom.Input && strings.EqualFold(attr(tag, "type"), "hidden") || !visible(tag) {
		return
	}
	for _, key := range []string{"name", "id"} {
		name := strings.ToLower(attr(tag, key))
		if len(name) > maxHeading {
			continue
		}
		f.Login = f.Login || slices.Contains(loginNames, name)
		if f.posting && f.Control == "" && isSetting(name) {
			f.Control = fact.Clean(name, maxHeading)
		}
	}
}

func isSetting(name string) bool {
	parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(settingsParts, p) }) ||
		slices.ContainsFunc(settingsStems, func(s string) bool { return strings.Contains(strings.Join(parts, ""), s) })
}

// Settings is what shows that a page has settings; "" if nothing does.
func (f Form) Settings() string {
	switch {
	case f.Control != "":
		return fmt.Sprintf(`<form method="post"> name=%q`, f.Control)
	case f.heading != "" && !f.Active:
		// With scripts, a page may still ask for a password.
		return fmt.Sprintf("%q", f.heading)
	default:
		return ""
	}
}
