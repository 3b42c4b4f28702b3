package imports

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/objstore"
)

// listed is an object found, or the mark that a folder of the listing begins or ends.
type listed struct {
	objstore.Object
	begins, ends bool
}

// span is a run of keys to list.
type span struct {
	prefix string
	after  string // keys up to it are not wanted
	until  string // keys from it on are not wanted; "" for no end
}

// scan lists the objects of base that may hold events from from to to (zero: no bound), behind the key cursor, in key order.
//
// With a bound, and where base has CloudTrail's layout, only the days wanted are listed: keys of a region are in order of time, so that is one run of
// keys for every region. Without a bound, or without the layout, everything in base is listed but for digests and the logs of other services that
// share the folder AWSLogs.
func scan(ctx context.Context, store objstore.Store, base string, from, to time.Time, cursor string, fn func(listed) error) error {
	spans, err := spans(ctx, store, base, from, to)
	if err != nil {
		return err
	}
	folder, open := "", false
	ends := func() error {
		if !open {
			return nil
		}
		open = false
		return fn(listed{ends: true})
	}
	for _, sp := range spans {
		if sp.after = max(sp.after, cursor); sp.after > sp.prefix && !strings.HasPrefix(sp.after, sp.prefix) {
			continue
		}
		err := store.List(ctx, sp.prefix, sp.after, func(o objstore.Object) error {
			if sp.until != "" && o.Key >= sp.until {
				return errFound
			}
			if !wanted(o.Key, from, to) || (strings.HasSuffix(o.Key, "/") && o.Size == 0) { // a folder, as some tools mark them
				return nil
			}
			if f := o.Key[:strings.LastIndexByte(o.Key, '/')+1]; f != folder || !open {
				if err := ends(); err != nil {
					return err
				}
				folder, open = f, true
				if err := fn(listed{begins: true}); err != nil {
					return err
				}
			}
			return fn(listed{Object: o})
		})
		if err != nil && !errors.Is(err, errFound) {
			return err
		}
	}
	return ends()
}

// root finds out whether base is an object or a folder, and gives what to list.
func root(ctx context.Context, store objstore.Store, base string) (prefix string, object bool, err error) {
	if base == "" || strings.HasSuffix(base, "/") {
		return base, false, nil
	}
	_, err = store.Stat(ctx, base)
	if errors.Is(err, objstore.ErrNotExist) {
		return base + "/", false, nil
	}
	return base, err == nil, err
}

func spans(ctx context.Context, store objstore.Store, base string, from, to time.Time) ([]span, error) {
	prefix, object, err := root(ctx, store, base)
	if err != nil {
		return nil, err
	}
	if object {
		return []span{{prefix: prefix, until: prefix + "\x00"}}, nil
	}
	if from.IsZero() && to.IsZero() {
		return []span{{prefix: prefix}}, nil
	}
	// The walk down the layout ends at the regions, or at base where that lies deeper.
	var regions []string
	days, found, err := logfile.TimePrefixes(ctx, func(ctx context.Context, folder string, fn func(string) error) error {
		if _, ok := region(folder); ok {
			regions = append(regions, folder)
			return nil
		}
		return store.ListFolders(ctx, folder, fn)
	}, prefix, from, to)
	if err != nil {
		return nil, err
	}
	if !found {
		return []span{{prefix: prefix}}, nil
	}
	var out []span
	for _, f := range append(regions, days...) {
		sp := span{prefix: f}
		r, _ := region(f)
		if !from.IsZero() {
			sp.after = r + from.UTC().Format("2006/01/02")
		}
		if !to.IsZero() {
			sp.until = r + to.UTC().Add(logfile.Lateness).AddDate(0, 0, 1).Format("2006/01/02")
		}
		out = append(out, sp)
	}
	return out, nil
}

// region gives the folder of the region that a folder of the layout is or lies in.
func region(folder string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(folder, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] != "AWSLogs" {
			continue
		}
		i++
		if i < len(parts) && strings.HasPrefix(parts[i], "o-") {
			i++
		}
		if i+2 < len(parts) { // account, CloudTrail, region
			return strings.Join(parts[:i+3], "/") + "/", true
		}
		break
	}
	return "", false
}

// wanted tells by its key alone whether an object may hold events of the time. Of a key that is not in the layout nobody knows.
func wanted(key string, from, to time.Time) bool {
	k, ok := logfile.ParseKey(key)
	if !ok {
		return !otherService(key)
	}
	if k.Kind == logfile.DigestKey {
		return false
	}
	late := k.Time.Add(time.Minute).Before(from) // names give the minute
	early := !to.IsZero() && k.Time.After(to.Add(logfile.Lateness))
	return !late && !early
}

// otherService tells whether a key lies in AWSLogs/[organisation/]account/ in a folder other than CloudTrail's.
func otherService(key string) bool {
	_, below, ok := strings.Cut("/"+key, "/AWSLogs/")
	if !ok {
		return false
	}
	parts := strings.Split(below, "/")
	if strings.HasPrefix(parts[0], "o-") {
		parts = parts[1:]
	}
	return len(parts) > 2 && len(parts[0]) == 12 && strings.Trim(parts[0], "0123456789") == "" &&
		parts[1] != "CloudTrail" && parts[1] != "CloudTrail-Insight"
}
