package streamer

import (
	"strings"
	"time"

	"github.com/lochlake/loch/logfile"
)

// wantedFile tells by its place in CloudTrail's layout whether a file may hold events of the time. Of a file that is not in the layout nobody knows;
// the server leaves out its events of other times. Digests of the layout hold no events.
func wantedFile(name string, from, to time.Time) bool {
	k, ok := logfile.ParseKey(name)
	if !ok {
		return true
	}
	if k.Kind == logfile.DigestKey {
		return false
	}
	tooEarly := k.Time.Add(time.Minute).Before(from) // names give the minute of delivery
	tooLate := !to.IsZero() && k.Time.After(to.Add(logfile.Lateness))
	return !tooEarly && !tooLate
}

// wantedFolder tells whether a folder of the layout, …/AWSLogs/[organisation/]account/CloudTrail/region/2026/11/22, may hold such files.
func wantedFolder(name string, from, to time.Time) bool {
	_, below, ok := strings.Cut("/"+name+"/", "/AWSLogs/")
	if !ok {
		return true
	}
	parts := strings.Split(strings.TrimSuffix(below, "/"), "/")
	if strings.HasPrefix(parts[0], "o-") {
		parts = parts[1:]
	}
	if len(parts) < 4 || len(parts) > 6 || !strings.HasPrefix(parts[1], "CloudTrail") {
		return true
	}
	date := parts[3:]
	layout := []string{"2006", "2006/01", "2006/01/02"}[len(date)-1]
	first, err := time.Parse(layout, strings.Join(date, "/"))
	if err != nil {
		return true
	}
	end := [3]time.Time{first.AddDate(1, 0, 0), first.AddDate(0, 1, 0), first.AddDate(0, 0, 1)}[len(date)-1]
	return end.After(from) && (to.IsZero() || first.Before(to.Add(logfile.Lateness)))
}
