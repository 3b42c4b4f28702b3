package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/selector"
)

func TestCreateStore(t *testing.T) {
	g := newRig(t)
	s := g.make("defaults")
	want := meta.EventDataStore{Scope: here, ID: s.ID, Name: "defaults", Status: Enabled, Kind: uint8(event.CloudTrail), MultiRegion: true, RetentionDays: 366,
		BillingMode: Extendable, TerminationProtection: true, Created: g.clock, Updated: g.clock, Selectors: []byte(selector.Default),
		FederationStatus: FederationDisabled}
	if fmt.Sprint(s) != fmt.Sprint(want) || !isUUID(s.ID) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if s := g.make("fixed", func(in *StoreSettings) { in.BillingMode = p(Fixed) }); s.RetentionDays != 2557 || s.BillingMode != Fixed {
		t.Errorf("%+v", s)
	}
	s = g.make("all-said", func(in *StoreSettings) {
		*in = StoreSettings{Name: in.Name, Selectors: selectors("ConfigurationItem"), MultiRegion: p(false), Organization: p(true), RetentionDays: p[int32](7),
			TerminationProtection: p(false), BillingMode: p(Fixed), StartIngestion: p(false), Tags: []Tag{{"k", "v"}, {"empty", ""}}}
	})
	if s.Status != Stopped || s.MultiRegion || !s.Organization || s.RetentionDays != 7 || s.TerminationProtection || s.Kind != uint8(event.ConfigurationItem) {
		t.Errorf("%+v", s)
	}
	tags, err := g.Tags(t.Context(), here, []string{s.ARN()})
	g.ok(err)
	if fmt.Sprint(tags[0].Tags) != "[{empty } {k v}]" {
		t.Errorf("%v", tags)
	}
	for _, days := range []int32{7, 3653} {
		g.make(fmt.Sprint("days-", days), func(in *StoreSettings) { in.RetentionDays = &days })
	}
}

func TestCreateStoreRefuses(t *testing.T) {
	g := newRig(t)
	g.make("taken", unprotected)
	deleted := g.make("deleted", unprotected)
	g.ok(g.DeleteStore(t.Context(), here, deleted.ID))
	fifty := make([]Tag, 51)
	for i := range fifty {
		fifty[i].Key = fmt.Sprint("k", i)
	}
	for name, c := range map[string]struct {
		in   StoreSettings
		code string
		word string
	}{
		"name":            {StoreSettings{Name: p("taken")}, "EventDataStoreAlreadyExistsException", "taken"},
		"name of deleted": {StoreSettings{Name: p("deleted")}, "EventDataStoreAlreadyExistsException", "deleted"},
		"key":             {StoreSettings{KMSKeyID: p("alias/x")}, "UnsupportedOperationException", "KmsKeyId"},
		"6 days":          {StoreSettings{RetentionDays: p[int32](6)}, "InvalidParameterException", "between 7 and 3653"},
		"0 days":          {StoreSettings{RetentionDays: p[int32](0)}, "InvalidParameterException", "it is 0"},
		"3654 days":       {StoreSettings{RetentionDays: p[int32](3654)}, "InvalidParameterException", "RetentionPeriod"},
		"2558 days fixed": {StoreSettings{RetentionDays: p[int32](2558), BillingMode: p(Fixed)}, "InvalidParameterException", "2557"},
		"selectors":       {StoreSettings{Selectors: []byte(`[]`)}, "InvalidEventSelectorsException", "at least one"},
		"stopped outside": {StoreSettings{Selectors: selectors("ActivityAuditLog"), StartIngestion: p(false)}, "InvalidParameterException", "StartIngestion"},
		"tag twice":       {StoreSettings{Tags: []Tag{{"a", "1"}, {"a", "2"}}}, "InvalidTagParameterException", "twice"},
		"tag reserved":    {StoreSettings{Tags: []Tag{{"AWS:x", "1"}}}, "InvalidTagParameterException", "reserved"},
		"tag key":         {StoreSettings{Tags: []Tag{{"a;b", "1"}}}, "InvalidTagParameterException", "letters"},
		"tag key empty":   {StoreSettings{Tags: []Tag{{"", "1"}}}, "InvalidTagParameterException", "128"},
		"tag key long":    {StoreSettings{Tags: []Tag{{strings.Repeat("é", 129), "1"}}}, "InvalidTagParameterException", "128"},
		"tag value":       {StoreSettings{Tags: []Tag{{"a", "<"}}}, "InvalidTagParameterException", "value"},
		"tag value long":  {StoreSettings{Tags: []Tag{{"a", strings.Repeat("é", 257)}}}, "InvalidTagParameterException", "256"},
		"tags":            {StoreSettings{Tags: fifty}, "InvalidTagParameterException", "51"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in.Name == nil {
				c.in.Name = p("new")
			}
			_, err := g.CreateStore(t.Context(), here, c.in)
			g.code(err, c.code, c.word)
		})
	}
	if len(g.tables.kinds) != 2 {
		t.Errorf("a refused store left a table: %v", g.tables.kinds)
	}
	_, err := g.CreateStore(t.Context(), other, StoreSettings{Name: p("org"), Organization: p(true)})
	g.code(err, "NotOrganizationMasterAccountException")
	g.cfg.ManagementAccount = ""
	g.restart()
	_, err = g.CreateStore(t.Context(), here, StoreSettings{Name: p("org"), Organization: p(true)})
	g.code(err, "OrganizationsNotInUseException")
}

func TestStoreQuota(t *testing.T) {
	g := newRig(t)
	var first meta.EventDataStore
	for i := range 10 {
		if s := g.make(fmt.Sprint("store-", i), unprotected); i == 0 {
			first = s
		}
	}
	g.live(here) // makes the event history, which does not count
	_, err := g.CreateStore(t.Context(), here, StoreSettings{Name: p("eleventh")})
	g.code(err, "EventDataStoreMaxLimitExceededException", "10")
	g.ok(g.DeleteStore(t.Context(), here, first.ID))
	_, err = g.CreateStore(t.Context(), here, StoreSettings{Name: p("eleventh")})
	g.code(err, "EventDataStoreMaxLimitExceededException")
	_, err = g.CreateStore(t.Context(), west, StoreSettings{Name: p("store-0")})
	g.ok(err) // names and quotas are a region's
	g.clock = g.clock.Add(deletionWait)
	g.ok(g.Sweep(t.Context()))
	g.make("eleventh")
}

func TestFindStore(t *testing.T) {
	g := newRig(t)
	s := g.make("mine")
	for _, ref := range []string{s.ID, s.ARN(), strings.ToUpper(s.ID), "arn:aws-cn:cloudtrail:eu-west-1:111122223333:eventdatastore/" + s.ID} {
		if got, err := g.Store(t.Context(), here, ref); err != nil || got.ID != s.ID {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if got, err := g.StoreByName(t.Context(), here, "mine"); err != nil || got.ID != s.ID {
		t.Error(err)
	}
	gone := "00000000-0000-4000-8000-000000000000"
	for _, c := range []struct {
		sc   meta.Scope
		ref  string
		code string
	}{
		{here, gone, "EventDataStoreNotFoundException"},
		{other, s.ID, "EventDataStoreNotFoundException"}, {west, s.ID, "EventDataStoreNotFoundException"},
		{other, s.ARN(), "EventDataStoreNotFoundException"}, {west, s.ARN(), "EventDataStoreNotFoundException"},
		{here, "arn:aws:cloudtrail:us-west-2:111122223333:eventdatastore/" + s.ID, "EventDataStoreNotFoundException"},
		{here, "arn:aws:cloudtrail:eu-west-1:444455556666:eventdatastore/" + s.ID, "EventDataStoreNotFoundException"},
		{here, "mine", "EventDataStoreARNInvalidException"}, {here, s.ID[1:], "EventDataStoreARNInvalidException"},
		{here, strings.ReplaceAll(s.ID, "-", ""), "EventDataStoreARNInvalidException"},
		{here, "arn:aws:cloudtrail:eu-west-1:111122223333:channel/" + s.ID, "EventDataStoreARNInvalidException"},
		{here, "arn:aws:cloudtrail:eu-west-1:1111:eventdatastore/" + s.ID, "EventDataStoreARNInvalidException"},
		{here, "arn:aws:s3:::bucket", "EventDataStoreARNInvalidException"}, {here, "a:b", "EventDataStoreARNInvalidException"},
	} {
		_, err := g.Store(t.Context(), c.sc, c.ref)
		g.code(err, c.code)
	}
}

func TestListStores(t *testing.T) {
	g := newRig(t)
	var want []string
	for i := range 5 {
		want = append(want, g.make(fmt.Sprint("store-", i)).ID)
	}
	_, err := g.CreateStore(t.Context(), west, StoreSettings{Name: p("elsewhere")})
	g.ok(err)
	var got []string
	after := ""
	for {
		page, next, err := g.Stores(t.Context(), here, after, 2)
		g.ok(err)
		for _, s := range page {
			got = append(got, s.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestUpdateStore(t *testing.T) {
	g := newRig(t)
	s := g.make("before", func(in *StoreSettings) { in.BillingMode = p(Fixed) })
	g.clock = g.clock.Add(time.Minute)
	got, err := g.UpdateStore(t.Context(), here, s.ARN(), StoreSettings{Name: p("after"), Selectors: selectors("Data")[:0], MultiRegion: p(false),
		Organization: p(true), RetentionDays: p[int32](3000), TerminationProtection: p(false), BillingMode: p(Extendable)})
	g.code(err, "InvalidEventSelectorsException")
	data := []byte(`[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}]}]`)
	got, err = g.UpdateStore(t.Context(), here, s.ARN(), StoreSettings{Name: p("after"), Selectors: data, MultiRegion: p(false),
		Organization: p(true), RetentionDays: p[int32](3000), TerminationProtection: p(false), BillingMode: p(Extendable)})
	g.ok(err)
	want := s
	want.Name, want.Selectors, want.MultiRegion, want.Organization, want.RetentionDays, want.TerminationProtection, want.BillingMode, want.Updated =
		"after", data, false, true, 3000, false, Extendable, g.clock
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	target, err := g.Target(t.Context(), s.ID)
	g.ok(err)
	if target.RetentionDays != 3000 || target.MultiRegion || !target.Organization || target.Selectors.(*selector.Set).Categories()[0] != "Data" {
		t.Errorf("ingest sees %+v", target)
	}
	if !g.reaches(other, s.ID) {
		t.Error("an organisation's store does not take another account's events")
	}
	got, err = g.UpdateStore(t.Context(), here, s.ID, StoreSettings{Organization: p(false), Name: p("after")})
	g.ok(err)
	if g.reaches(other, s.ID) {
		t.Error("it still takes them")
	}
	got, err = g.UpdateStore(t.Context(), here, s.ID, StoreSettings{RetentionDays: p[int32](7)})
	g.ok(err)
	if got.RetentionDays != 7 || got.Name != "after" {
		t.Errorf("%+v", got)
	}
	g.restart()
	again, err := g.Store(t.Context(), here, s.ID)
	g.ok(err)
	if fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("after a restart %+v", again)
	}
}

func TestUpdateStoreRefuses(t *testing.T) {
	g := newRig(t)
	s := g.make("store")
	fixed := g.make("fixed", func(in *StoreSettings) { in.BillingMode = p(Fixed) })
	deleted := g.make("deleted", unprotected)
	g.ok(g.DeleteStore(t.Context(), here, deleted.ID))
	busy := g.make("busy")
	for i, status := range []string{"IN_PROGRESS", "COMPLETED"} {
		for _, id := range []string{busy.ID, s.ID}[i : i+1] {
			g.ok(g.db.CreateImport(t.Context(), meta.Import{Scope: here, ID: "import-" + status, Stores: []string{id}, Status: status, Created: g.clock, Updated: g.clock}))
		}
	}
	for name, c := range map[string]struct {
		ref  string
		in   StoreSettings
		code string
		word string
	}{
		"nothing":          {s.ID, StoreSettings{}, "InvalidParameterException", "nothing"},
		"not found":        {"00000000-0000-4000-8000-000000000000", StoreSettings{Name: p("x")}, "EventDataStoreNotFoundException", ""},
		"malformed":        {"x", StoreSettings{Name: p("x")}, "EventDataStoreARNInvalidException", ""},
		"deleted":          {deleted.ID, StoreSettings{Name: p("x")}, "InactiveEventDataStoreException", ""},
		"importing":        {busy.ID, StoreSettings{Name: p("x")}, "EventDataStoreHasOngoingImportException", "import-IN_PROGRESS"},
		"name":             {s.ID, StoreSettings{Name: p("fixed")}, "EventDataStoreAlreadyExistsException", "fixed"},
		"key":              {s.ID, StoreSettings{KMSKeyID: p("x")}, "UnsupportedOperationException", "KmsKeyId"},
		"to fixed":         {s.ID, StoreSettings{BillingMode: p(Fixed)}, "InvalidParameterException", "cannot change"},
		"days":             {s.ID, StoreSettings{RetentionDays: p[int32](3654)}, "InvalidParameterException", "3653"},
		"days of fixed":    {fixed.ID, StoreSettings{RetentionDays: p[int32](3000)}, "InvalidParameterException", "2557"},
		"another kind":     {s.ID, StoreSettings{Selectors: selectors("Insight")}, "InvalidEventSelectorsException", "holds CloudTrail events"},
		"no such category": {s.ID, StoreSettings{Selectors: selectors("x")}, "InvalidEventSelectorsException", "selector 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := g.UpdateStore(t.Context(), here, c.ref, c.in)
			g.code(err, c.code, c.word)
		})
	}
	mine, err := g.CreateStore(t.Context(), other, StoreSettings{Name: p("mine")})
	g.ok(err)
	_, err = g.UpdateStore(t.Context(), other, mine.ID, StoreSettings{Organization: p(true)})
	g.code(err, "NotOrganizationMasterAccountException")
	_, err = g.UpdateStore(t.Context(), other, mine.ID, StoreSettings{Organization: p(false)}) // as it is
	g.ok(err)
	for _, was := range []meta.EventDataStore{s, fixed, busy} {
		if now, err := g.Store(t.Context(), here, was.ID); err != nil || fmt.Sprint(now) != fmt.Sprint(was) {
			t.Errorf("a refused update changed %+v to %+v, %v", was, now, err)
		}
	}
}

func TestDeleteAndRestore(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	protected := g.make("protected")
	g.code(g.DeleteStore(ctx, here, protected.ID), "EventDataStoreTerminationProtectedException")
	busy := g.make("busy", unprotected)
	g.ok(g.db.CreateImport(ctx, meta.Import{Scope: here, ID: "i", Stores: []string{busy.ID}, Status: "INITIALIZING", Created: g.clock, Updated: g.clock}))
	g.code(g.DeleteStore(ctx, here, busy.ID), "EventDataStoreHasOngoingImportException")
	sent := g.make("sent", outside, unprotected)
	ch, err := g.CreateChannel(ctx, here, ChannelSettings{Name: p("wiz"), Source: p("Wiz"), Destinations: []Destination{{toStore, sent.ARN()}}})
	g.ok(err)
	g.code(g.DeleteStore(ctx, here, sent.ID), "ChannelExistsForEDSException", ch.ARN())
	g.ok(g.DeleteChannel(ctx, here, ch.ID))
	g.ok(g.DeleteStore(ctx, here, sent.ID))
	g.code(g.DeleteStore(ctx, here, sent.ID), "InactiveEventDataStoreException")
	g.code(g.DeleteStore(ctx, here, "x"), "EventDataStoreARNInvalidException")
	g.code(g.DeleteStore(ctx, other, sent.ID), "EventDataStoreNotFoundException")

	for _, c := range []struct {
		name string
		edit func(*StoreSettings)
		want string
	}{{"was-live", unprotected, Enabled}, {"was-stopped", func(in *StoreSettings) { unprotected(in); stopped(in) }, Stopped}} {
		s := g.make(c.name, c.edit)
		_, err := g.RestoreStore(ctx, here, s.ID)
		g.code(err, "InvalidEventDataStoreStatusException", c.want)
		g.ok(g.DeleteStore(ctx, here, s.ID))
		now, err := g.Store(ctx, here, s.ID)
		g.ok(err)
		if now.Status != PendingDeletion || !now.DeleteAfter.Equal(g.clock.Add(7*24*time.Hour)) {
			t.Errorf("%+v", now)
		}
		g.code(g.StartIngestion(ctx, here, s.ID), "InvalidEventDataStoreStatusException")
		g.code(g.StopIngestion(ctx, here, s.ID), "InvalidEventDataStoreStatusException")
		g.restart()
		back, err := g.RestoreStore(ctx, here, s.ARN())
		g.ok(err)
		if back.Status != c.want || !back.DeleteAfter.IsZero() || back.StatusBefore != "" || g.reaches(here, s.ID) != (c.want == Enabled) {
			t.Errorf("%+v", back)
		}
	}
	_, err = g.RestoreStore(ctx, here, "x")
	g.code(err, "EventDataStoreARNInvalidException")
	_, err = g.RestoreStore(ctx, here, "00000000-0000-4000-8000-000000000000")
	g.code(err, "EventDataStoreNotFoundException")
}

func TestIngestion(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	for _, category := range []string{"Management", "ConfigurationItem"} {
		s := g.make("of-"+category, func(in *StoreSettings) { in.Selectors = selectors(category) })
		g.code(g.StartIngestion(ctx, here, s.ID), "InvalidEventDataStoreStatusException", "ENABLED")
		g.ok(g.StopIngestion(ctx, here, s.ID))
		if g.reaches(here, s.ID) {
			t.Error("stopped, and takes live events")
		}
		g.code(g.StopIngestion(ctx, here, s.ID), "InvalidEventDataStoreStatusException", "STOPPED_INGESTION")
		g.ok(g.StartIngestion(ctx, here, s.ID))
		if !g.reaches(here, s.ID) {
			t.Error("started, and takes none")
		}
	}
	for _, category := range []string{"ActivityAuditLog", "Insight", "Evidence"} {
		s := g.make("of-"+category, func(in *StoreSettings) { in.Selectors = selectors(category) })
		g.code(g.StopIngestion(ctx, here, s.ID), "InvalidEventDataStoreCategoryException", category)
		g.code(g.StartIngestion(ctx, here, s.ID), "InvalidEventDataStoreCategoryException")
	}
	g.code(g.StartIngestion(ctx, here, "x"), "EventDataStoreARNInvalidException")
	g.code(g.StopIngestion(ctx, here, "00000000-0000-4000-8000-000000000000"), "EventDataStoreNotFoundException")
}
