package discovery

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The versions that tell their own date. Makers write the day with six digits
// or eight, and put anything behind it ("Rel.145838", "n", "(5553)").
var (
	buildDate    = regexp.MustCompile(`(?i)\bbuild[ :_-]{0,2}(\d{8}|\d{6})(?:\D|$)`)
	shellyDate   = regexp.MustCompile(`^(20\d{6})-\d{6}/`)
	esphomeMonth = regexp.MustCompile(`^(20\d\d)\.(\d{1,2})\.\d`)
	esphomeOne   = regexp.MustCompile(`^1\.\d{1,2}\.\d`)
	isoDate      = regexp.MustCompile(`^(20\d\d)[-.](\d\d)[-.](\d\d)(?:\D|$)`)
)

// FirmwareDate returns the day on which a firmware was built, or shortly after
// it, if its version tells. Platform is a value of fact.DeviceProduct, or "";
// it says how to read a version:
//   - ESPHome counts year.month.patch since August 2021, and 1.x before
//     (esphome.io, changelog 2021.8.0); the end of the month is taken;
//   - a Shelly of the first generation has 20230913-112003/v1.14.0-gcb84623; the
//     date of later generations can be that of a branch;
//   - Tasmota tells its BuildDateTime, 2022-05-05T03:23:22;
//   - of others "build" and a date count, "1.0.3 Build 20230731 Rel.48126".
//
// A day before 2000 or later than the day after now is none.
func FirmwareDate(platform, version string, now time.Time) (day time.Time, ok bool) {
	switch platform {
	case "esphome":
		return esphomeDate(version, now)
	case "shelly":
		day, ok = digits(shellyDate.FindStringSubmatch(version))
	case "tasmota":
		if m := isoDate.FindStringSubmatch(version); m != nil {
			day, ok = parseDay(m[1] + m[2] + m[3])
		}
	default:
		day, ok = digits(buildDate.FindStringSubmatch(version))
	}
	return day, ok && plausible(day, now)
}

func esphomeDate(version string, now time.Time) (time.Time, bool) {
	if esphomeOne.MatchString(version) {
		day := time.Date(2021, 7, 31, 0, 0, 0, 0, time.UTC)
		return day, plausible(day, now)
	}
	m := esphomeMonth.FindStringSubmatch(version)
	if m == nil {
		return time.Time{}, false
	}
	first, ok := parseDay(m[1] + strings.Repeat("0", 2-len(m[2])) + m[2] + "01")
	if !ok || !plausible(first, now) {
		return time.Time{}, false
	}
	if last := first.AddDate(0, 1, -1); !last.After(now) {
		return last, true
	}
	return first, true
}

func digits(match []string) (time.Time, bool) {
	if match == nil {
		return time.Time{}, false
	}
	return parseDay(match[1])
}

// parseDay reads YYYYMMDD or YYMMDD.
func parseDay(s string) (time.Time, bool) {
	if len(s) == 6 {
		s = "20" + s
	}
	day, err := time.Parse("20060102", s)
	return day, err == nil
}

func plausible(day, now time.Time) bool {
	return day.Year() >= 2000 && !day.After(now.AddDate(0, 0, 1))
}

var preview = regexp.MustCompile(`(?i)beta|[-.]rc\d*|alpha|dev`)

// IsPreview reports whether a version calls itself one that is not for everybody:
// "1.5.0-beta1", "2026.8.0-dev".
func IsPreview(version string) bool { return preview.MatchString(version) }

// CompareVersions compares two versions of numbers parted by points, with or
// without a "v" before them and a "-", "+" or "@" and more behind. It is false for
// what is none, and where only the rest differs: such versions have no order.
func CompareVersions(a, b string) (order int, ok bool) {
	x, restX, ok1 := versionNumbers(a)
	y, restY, ok2 := versionNumbers(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	for i := range max(len(x), len(y)) {
		switch p, q := part(x, i), part(y, i); {
		case p < q:
			return -1, true
		case p > q:
			return 1, true
		}
	}
	return 0, restX == restY
}

func part(n []int, i int) int {
	if i < len(n) {
		return n[i]
	}
	return 0
}

func versionNumbers(s string) (numbers []int, rest string, ok bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "v")
	if i := strings.IndexAny(s, "-+@"); i >= 0 {
		s, rest = s[:i], s[i:]
	}
	for p := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil || len(numbers) == 8 {
			return nil, "", false
		}
		numbers = append(numbers, int(n))
	}
	return numbers, rest, true
}
