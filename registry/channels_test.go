package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

func (g *rig) channel(name, source string, stores ...meta.EventDataStore) meta.Channel {
	g.t.Helper()
	g.clock = g.clock.Add(time.Second)
	c, err := g.CreateChannel(g.t.Context(), here, ChannelSettings{Name: &name, Source: &source, Destinations: to(stores...)})
	g.ok(err)
	return c
}

func to(stores ...meta.EventDataStore) []Destination {
	out := make([]Destination, len(stores))
	for i := range stores {
		out[i] = Destination{toStore, stores[i].ARN()}
	}
	return out
}

func TestChannel(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	one, two := g.make("one", outside), g.make("two", outside)
	c, err := g.CreateChannel(ctx, here, ChannelSettings{Name: p("wiz"), Source: p("Wiz"), Destinations: to(one, two), Tags: []Tag{{"team", "ir"}}})
	g.ok(err)
	if !c.Created.Equal(g.clock) || c.ARN() != "arn:aws:cloudtrail:eu-west-1:111122223333:channel/"+c.ID {
		t.Errorf("%+v", c)
	}
	for _, ref := range []string{c.ID, c.ARN(), strings.ToUpper(c.ID)} {
		got, err := g.Channel(ctx, here, ref)
		g.ok(err)
		list, err := Destinations(&got)
		g.ok(err)
		if got.Name != "wiz" || got.Source != "Wiz" || fmt.Sprint(list) != fmt.Sprint(to(one, two)) {
			t.Errorf("%+v", got)
		}
	}
	g.clock = g.clock.Add(time.Minute)
	got, err := g.UpdateChannel(ctx, here, c.ARN(), ChannelSettings{Name: p("wiz-2")})
	g.ok(err)
	if got.Name != "wiz-2" || string(got.Destinations) != string(c.Destinations) || !got.Updated.Equal(g.clock) {
		t.Errorf("%+v", got)
	}
	got, err = g.UpdateChannel(ctx, here, c.ID, ChannelSettings{Destinations: to(two)})
	g.ok(err)
	if list, err := Destinations(&got); err != nil || fmt.Sprint(list) != fmt.Sprint(to(two)) {
		t.Errorf("%v, %v", list, err)
	}
	g.restart()
	again, err := g.Channel(ctx, here, c.ID)
	g.ok(err)
	if fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("after a restart %+v", again)
	}
	g.ok(g.DeleteChannel(ctx, here, c.ARN()))
	_, err = g.Channel(ctx, here, c.ID)
	g.code(err, "ChannelNotFoundException")
	if tags, err := g.db.Tags(ctx, []string{c.ARN()}); err != nil || len(tags) != 0 {
		t.Error(tags, err)
	}
	g.channel("wiz-2", "Wiz", one) // name and source are free again
}

func TestChannelRefuses(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	good, logs, deleted := g.make("good", outside), g.make("logs"), g.make("deleted", outside, unprotected)
	g.ok(g.DeleteStore(ctx, here, deleted.ID))
	theirs, err := g.CreateStore(ctx, other, StoreSettings{Name: p("theirs"), Selectors: selectors("ActivityAuditLog")})
	g.ok(err)
	c := g.channel("taken", "Okta", good)
	g.channel("custom", "Custom", good)
	many := make([]Tag, 51)
	for i := range many {
		many[i].Key = fmt.Sprint("k", i)
	}
	for name, bad := range map[string]struct {
		in   ChannelSettings
		code string
		word string
	}{
		"name":            {ChannelSettings{Name: p("taken")}, "ChannelAlreadyExistsException", "taken"},
		"source":          {ChannelSettings{Source: p("Okta")}, "ChannelAlreadyExistsException", "Okta"},
		"blank source":    {ChannelSettings{Source: p("  ")}, "InvalidSourceException", ""},
		"control source":  {ChannelSettings{Source: p("a\x00")}, "InvalidSourceException", ""},
		"none":            {ChannelSettings{Destinations: []Destination{}}, "InvalidParameterException", "at least one"},
		"service":         {ChannelSettings{Destinations: []Destination{{"AWS_SERVICE", "x"}}}, "InvalidParameterException", "EVENT_DATA_STORE"},
		"an ID":           {ChannelSettings{Destinations: []Destination{{toStore, good.ID}}}, "EventDataStoreARNInvalidException", "Destination 1"},
		"malformed":       {ChannelSettings{Destinations: []Destination{{toStore, "arn:x"}}}, "EventDataStoreARNInvalidException", ""},
		"another account": {ChannelSettings{Destinations: to(theirs)}, "EventDataStoreNotFoundException", ""},
		"not found":       {ChannelSettings{Destinations: []Destination{{toStore, good.ARN()[:len(good.ARN())-12] + "000000000000"}}}, "EventDataStoreNotFoundException", ""},
		"deleted":         {ChannelSettings{Destinations: to(deleted)}, "InactiveEventDataStoreException", deleted.ID},
		"category":        {ChannelSettings{Destinations: to(good, logs)}, "InvalidEventDataStoreCategoryException", "Destination 2"},
		"twice":           {ChannelSettings{Destinations: to(good, good)}, "InvalidParameterException", "twice"},
		"tag":             {ChannelSettings{Tags: []Tag{{"a", "b"}, {"a", "c"}}}, "InvalidTagParameterException", ""},
		"tags":            {ChannelSettings{Tags: many}, "TagsLimitExceededException", "50"},
	} {
		t.Run(name, func(t *testing.T) {
			in := bad.in
			if in.Name == nil {
				in.Name = p("new")
			}
			if in.Source == nil {
				in.Source = p("New")
			}
			if in.Destinations == nil {
				in.Destinations = to(good)
			}
			_, err := g.CreateChannel(ctx, here, in)
			g.code(err, bad.code, bad.word)
			if bad.in.Destinations != nil {
				_, err := g.UpdateChannel(ctx, here, c.ID, ChannelSettings{Destinations: bad.in.Destinations})
				g.code(err, bad.code, bad.word)
			}
		})
	}
	_, err = g.UpdateChannel(ctx, here, c.ID, ChannelSettings{})
	g.code(err, "InvalidParameterException", "nothing")
	_, err = g.UpdateChannel(ctx, here, c.ID, ChannelSettings{Name: p("custom")})
	g.code(err, "ChannelAlreadyExistsException", "custom")
	for ref, code := range map[string]string{
		"00000000-0000-4000-8000-000000000000": "ChannelNotFoundException", "x": "ChannelARNInvalidException", good.ARN(): "ChannelARNInvalidException",
		"arn:aws:cloudtrail:eu-west-1:444455556666:channel/" + c.ID: "ChannelNotFoundException",
	} {
		_, err := g.Channel(ctx, here, ref)
		g.code(err, code)
		_, err = g.UpdateChannel(ctx, here, ref, ChannelSettings{Name: p("abc")})
		g.code(err, code)
		g.code(g.DeleteChannel(ctx, here, ref), code)
	}
	_, err = g.Channel(ctx, other, c.ID)
	g.code(err, "ChannelNotFoundException")
}

func TestChannelQuotaAndPages(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Quotas.Channels = 5 })
	ctx := t.Context()
	s := g.make("store", outside)
	var want []string
	for i := range 5 {
		want = append(want, g.channel(fmt.Sprint("channel-", i), "Custom", s).ID)
	}
	_, err := g.CreateChannel(ctx, here, ChannelSettings{Name: p("sixth"), Source: p("Custom"), Destinations: to(s)})
	g.code(err, "ChannelMaxLimitExceededException", "5")
	var got []string
	after := ""
	for n := 0; ; n++ {
		page, next, err := g.Channels(ctx, here, after, 2)
		g.ok(err)
		for _, c := range page {
			got = append(got, c.ID)
		}
		if n == 0 { // one that a page ended with goes meanwhile
			g.ok(g.DeleteChannel(ctx, here, page[1].ID))
		}
		if after = next; next == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAttempts(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	c := g.channel("wiz", "Wiz", g.make("store", outside))
	status := func() Ingestion {
		t.Helper()
		c, err := g.Channel(ctx, here, c.ID)
		g.ok(err)
		i, err := g.Ingestion(&c)
		g.ok(err)
		return i
	}
	if status() != (Ingestion{}) {
		t.Errorf("%+v", status())
	}
	first := g.clock
	g.Attempted(c.ID, "e1", "")
	want := Ingestion{SuccessTime: first, SuccessEventID: "e1", AttemptTime: first, AttemptEventID: "e1"}
	if status() != want {
		t.Errorf("%+v", status())
	}
	g.ok(g.Flush(ctx))
	g.clock = g.clock.Add(time.Minute)
	g.Attempted(c.ID, "e2", "InvalidData")
	want.AttemptTime, want.AttemptEventID, want.ErrorCode = g.clock, "e2", "InvalidData"
	if status() != want {
		t.Errorf("%+v", status())
	}
	g.restart()
	if status() != want {
		t.Errorf("after a restart %+v", status())
	}
	g.Attempted(c.ID, "e3", "")
	g.ok(g.DeleteChannel(ctx, here, c.ID))
	g.ok(g.Flush(ctx)) // nobody's status is no error
}

func TestTags(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	s := g.make("store", outside)
	c := g.channel("wiz", "Wiz", s)
	deleted := g.make("deleted", unprotected)
	g.ok(g.DeleteStore(ctx, here, deleted.ID))
	for _, arn := range []string{s.ARN(), c.ARN()} {
		g.ok(g.AddTags(ctx, here, arn, []Tag{{"team", "ir"}, {"cost", "4 2"}}))
		g.ok(g.AddTags(ctx, here, arn, []Tag{{"team", "soc"}, {"none", ""}}))
		g.ok(g.RemoveTags(ctx, here, arn, []Tag{{"cost", "whatever"}, {"never", ""}}))
	}
	got, err := g.Tags(ctx, here, []string{c.ARN(), s.ARN()})
	g.ok(err)
	if want := fmt.Sprint([]ResourceTags{{c.ARN(), []Tag{{"none", ""}, {"team", "soc"}}}, {s.ARN(), []Tag{{"none", ""}, {"team", "soc"}}}}); fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	var many []Tag
	for i := range 49 {
		many = append(many, Tag{fmt.Sprint("k", i), ""})
	}
	g.code(g.AddTags(ctx, here, s.ARN(), many), "TagsLimitExceededException")
	g.ok(g.AddTags(ctx, here, s.ARN(), many[:48]))
	g.code(g.AddTags(ctx, here, s.ARN(), many[48:]), "TagsLimitExceededException")
	g.code(g.AddTags(ctx, here, s.ARN(), []Tag{{"a", ""}, {"a", ""}}), "InvalidTagParameterException")
	g.code(g.RemoveTags(ctx, here, s.ARN(), []Tag{{"a", ""}, {"a", ""}}), "InvalidTagParameterException")

	prefix := "arn:aws:cloudtrail:eu-west-1:111122223333:"
	none := "00000000-0000-4000-8000-000000000000"
	for arn, code := range map[string]string{
		s.ID: "CloudTrailARNInvalidException", "arn:aws:s3:::bucket": "CloudTrailARNInvalidException", prefix + "trail": "CloudTrailARNInvalidException",
		prefix + "eventdatastore/x": "EventDataStoreARNInvalidException", prefix + "channel/x": "ChannelARNInvalidException",
		prefix + "eventdatastore/" + none: "EventDataStoreNotFoundException", prefix + "channel/" + none: "ChannelNotFoundException",
		prefix + "trail/mine": "ResourceNotFoundException", prefix + "dashboard/mine": "ResourceNotFoundException",
		prefix + "widget/mine": "ResourceTypeNotSupportedException", deleted.ARN(): "InactiveEventDataStoreException",
		"arn:aws:cloudtrail:us-west-2:111122223333:eventdatastore/" + s.ID: "EventDataStoreNotFoundException",
	} {
		g.code(g.AddTags(ctx, here, arn, []Tag{{"a", "b"}}), code)
		g.code(g.RemoveTags(ctx, here, arn, []Tag{{"a", "b"}}), code)
		if code == "ChannelNotFoundException" {
			code = "ResourceNotFoundException" // ListTags knows only this one
		}
		_, err := g.Tags(ctx, here, []string{s.ARN(), arn})
		g.code(err, code)
	}
	_, err = g.Tags(ctx, here, make([]string, 21))
	g.code(err, "ValidationException", "21")
	if none, err := g.Tags(ctx, here, nil); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
}
