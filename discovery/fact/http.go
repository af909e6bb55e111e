package fact

// Words about web pages.
var (
	HTTPOpen         = word[bool]("http.open", week, "A web page is offered without encryption.")
	HTTPTitle        = word[string]("http.title", week, "Title of the front page.")
	HTTPServer       = word[string]("http.server", week, "Server header of the front page.")
	HTTPRealm        = word[string]("http.realm", week, "Realm that the log-in of the front page names.")
	HTTPTLS          = word[bool]("http.tls", week, "The device offers its web page by HTTPS too.")
	HTTPToTLS        = word[bool]("http.redirects_to_tls", week, "The unencrypted web page sends the browser on to HTTPS.")
	HTTPBasicClear   = word[bool]("http.basic_clear", week, "The unencrypted web page asks for a password that the browser then sends readable (Basic).")
	HTTPPasswordForm = word[bool]("http.password_form_clear", week, "The unencrypted web page has a password field and does not send the browser on to HTTPS.")
	HTTPSettingsOpen = word[bool]("http.settings_open", week, "A web page shows the device's settings to anyone, without a password.")
	HTTPControlsOpen = word[bool]("http.controls_open", week, "A web page lets anyone switch what the device controls, without a password.")

	HTTPGenerator = word[string]("http.generator", week, "Generator that the front page names in its meta element (HTML, section 4.2.5.1).")
)
