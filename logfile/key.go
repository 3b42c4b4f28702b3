package logfile

import (
	"context"
	"strings"
	"time"
)

// KeyKind says what an object under a trail's prefix is.
type KeyKind uint8

// The kinds of object that a trail delivers, by the folder below the account ("Finding your CloudTrail log files" and "Finding your digest
// files" in the AWS user guide).
const (
	LogKey     KeyKind = iota + 1 // CloudTrail: management, data and network activity events
	InsightKey                    // CloudTrail-Insight: Insights events
	DigestKey                     // CloudTrail-Digest: digests of log file validation
)

var keyFolders = map[string]KeyKind{
	"CloudTrail":         LogKey,
	"CloudTrail-Insight": InsightKey,
	"CloudTrail-Digest":  DigestKey,
}

func (k KeyKind) folder() string {
	switch k {
	case InsightKey:
		return "CloudTrail-Insight"
	case DigestKey:
		return "CloudTrail-Digest"
	}
	return "CloudTrail"
}

// Key is the key of an object that a trail delivered, in its parts:
//
//	[Prefix/]AWSLogs/[Organization/]Account/CloudTrail/Region/2023/07/10/Account_CloudTrail_Region_20230710T1145Z_Unique.json.gz
type Key struct {
	Prefix       string // what stands before AWSLogs, without a slash at its end; "" where nothing does
	Organization string // o-…, or ""
	Account      string // 12 digits
	Kind         KeyKind
	Region       string
	Time         time.Time // when the file was delivered, to the minute (of a digest, when its hour ended, to the second); UTC
	Unique       string    // tells files of one minute apart; of a digest the trail's name and region
	Backfill     bool      // a digest of log files that were delivered late
}

const (
	fileTime   = "20060102T1504Z"
	digestTime = "20060102T150405Z"
	gzipSuffix = ".json.gz"

	backfillSuffix = "_backfill"
)

// ParseKey takes a key apart. It is not ok where the key is not in the layout of one that CloudTrail delivers.
func ParseKey(key string) (k Key, ok bool) {
	parts := strings.Split(key, "/")
	n := len(parts)
	// From the end: file, day, month, year, region, folder, account, and before them AWSLogs or the organisation.
	if n < 8 {
		return Key{}, false
	}
	k.Kind, ok = keyFolders[parts[n-6]]
	k.Account, k.Region = parts[n-7], parts[n-5]
	if !ok || !isAccount(k.Account) || k.Region == "" {
		return Key{}, false
	}
	root := n - 8
	if strings.HasPrefix(parts[root], "o-") && root > 0 {
		k.Organization = parts[root]
		root--
	}
	if parts[root] != "AWSLogs" {
		return Key{}, false
	}
	k.Prefix = strings.Join(parts[:root], "/")
	if !k.parseFile(parts[n-1]) {
		return Key{}, false
	}
	// The day of a digest's folder is that of the hour that it covers; a file's is that of its delivery.
	day := strings.Join(parts[n-4:n-1], "/")
	if k.Kind != DigestKey && k.Time.Format("2006/01/02") != day {
		return Key{}, false
	}
	return k, true
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func (k *Key) parseFile(name string) bool {
	name, ok := strings.CutSuffix(name, gzipSuffix)
	if !ok {
		return false
	}
	rest, ok := strings.CutPrefix(name, k.Account+"_"+k.Kind.folder()+"_"+k.Region+"_")
	if !ok {
		return false
	}
	layout, stamp := fileTime, ""
	if k.Kind == DigestKey { // …_Region_Trail_TrailRegion_20230710T120000Z
		layout = digestTime
		rest, k.Backfill = strings.CutSuffix(rest, backfillSuffix)
		if i := strings.LastIndexByte(rest, '_'); i >= 0 {
			k.Unique, stamp = rest[:i], rest[i+1:]
		}
	} else {
		stamp, k.Unique, _ = strings.Cut(rest, "_")
	}
	t, err := time.Parse(layout, stamp)
	k.Time = t
	return err == nil && k.Unique != ""
}

// Folder is the key's folder for the day of its Time, with a slash at its end.
func (k Key) Folder() string { return k.regionFolder() + k.Time.UTC().Format("2006/01/02/") }

func (k Key) regionFolder() string {
	var b strings.Builder
	for _, part := range []string{k.Prefix, "AWSLogs", k.Organization, k.Account, k.Kind.folder(), k.Region} {
		if part != "" {
			b.WriteString(part)
			b.WriteByte('/')
		}
	}
	return b.String()
}

// String puts the key together again, as CloudTrail names log files and Insights files; of a digest, too, where Unique is trail and region.
func (k Key) String() string {
	name := k.Account + "_" + k.Kind.folder() + "_" + k.Region + "_"
	if k.Kind == DigestKey {
		name += k.Unique + "_" + k.Time.UTC().Format(digestTime)
		if k.Backfill {
			name += backfillSuffix
		}
		return k.Folder() + name + gzipSuffix
	}
	return k.Folder() + name + k.Time.UTC().Format(fileTime) + "_" + k.Unique + gzipSuffix
}

// Lateness is how long after an event its file may come at most for TimePrefixes to find it. CloudTrail delivers within 5 minutes on average and
// says "typically within 15 minutes"; files are stamped with the time of delivery.
const Lateness = time.Hour

// Folders lists the folders one level below a prefix, as objstore.Store.ListFolders does: each with a slash at its end.
type Folders func(ctx context.Context, prefix string, fn func(string) error) error

// TimePrefixes gives the prefixes whose files may hold events from from (inclusive) to to (exclusive; zero: now and later), in key order, so that only
// the keys of that time are listed: one a day for every account and region that lie below base. base is a trail's bucket prefix, AWSLogs itself,
// or any folder below it down to a region or a day. Where base holds no such layout, found is false and base itself is what to list.
// Digests are left out.
func TimePrefixes(ctx context.Context, list Folders, base string, from, to time.Time) (prefixes []string, found bool, err error) {
	if base != "" && !strings.HasSuffix(base, "/") {
		base += "/"
	}
	w := &walk{ctx: ctx, list: list, from: from.UTC(), to: to.UTC()}
	if !to.IsZero() {
		w.to = w.to.Add(Lateness)
	}
	parts := strings.Split(strings.TrimSuffix(base, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] == "AWSLogs" {
			err = w.below(base, parts[i+1:])
			return w.prefixes, w.found, err
		}
	}
	err = list(ctx, base, func(folder string) error {
		if name(folder) == "AWSLogs" {
			return w.below(folder, nil)
		}
		return nil
	})
	return w.prefixes, w.found, err
}

// walk goes down from AWSLogs to the days.
type walk struct {
	ctx      context.Context
	list     Folders
	from, to time.Time
	prefixes []string
	found    bool
}

func name(folder string) string {
	folder = strings.TrimSuffix(folder, "/")
	return folder[strings.LastIndexByte(folder, '/')+1:]
}

// below goes on from a folder that is reached by path from AWSLogs.
func (w *walk) below(folder string, path []string) error {
	if len(path) > 0 && strings.HasPrefix(path[0], "o-") {
		path = path[1:]
	}
	if len(path) > 0 && !isAccount(path[0]) || len(path) > 1 && (keyFolders[path[1]] == 0 || keyFolders[path[1]] == DigestKey) {
		return nil
	}
	switch {
	case len(path) < 3:
		return w.list(w.ctx, folder, func(f string) error {
			return w.below(f, append(path[:len(path):len(path)], name(f)))
		})
	case len(path) > 6:
		return nil
	}
	w.found = true
	return w.days(folder, path[3:])
}

// days goes down from a region, or a year or month below it, to the days of the time.
func (w *walk) days(folder string, path []string) error {
	first, last, ok := span(path)
	if !ok || !w.wants(first, last) {
		return nil
	}
	if len(path) == 3 {
		w.prefixes = append(w.prefixes, folder)
		return nil
	}
	return w.list(w.ctx, folder, func(f string) error {
		return w.days(f, append(path[:len(path):len(path)], name(f)))
	})
}

// wants tells whether files delivered from first to before last may hold events of the time.
func (w *walk) wants(first, last time.Time) bool {
	return last.After(w.from) && (w.to.IsZero() || first.Before(w.to))
}

// span is the time that a path of year, month and day covers; all of it where it is empty.
func span(path []string) (first, last time.Time, ok bool) {
	if len(path) == 0 {
		return time.Time{}, time.Unix(1<<40, 0), true
	}
	layouts := []string{"2006", "2006/01", "2006/01/02"}
	first, err := time.Parse(layouts[len(path)-1], strings.Join(path, "/"))
	if err != nil {
		return first, last, false
	}
	switch len(path) {
	case 1:
		last = first.AddDate(1, 0, 0)
	case 2:
		last = first.AddDate(0, 1, 0)
	default:
		last = first.AddDate(0, 0, 1)
	}
	return first, last, true
}
