package logfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/logfile"
)

// rec is a record with the given id, as CloudTrail begins them.
func rec(id string) string {
	return `{"eventVersion":"1.08","userIdentity":{"type":"Root"},"eventTime":"2023-07-10T12:32:49Z","eventID":"` + id + `"}`
}

func zip(parts ...string) string {
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, p); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// outcome is what reading gave: ids, bad records and where the good ones were.
type outcome struct {
	ids     []string
	bad     []string
	offsets []int64
	batches int
}

func collect(t testing.TB, next func() (*logfile.Batch, error)) (o outcome) {
	t.Helper()
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			return o
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Read != int64(len(b.Records)+len(b.Bad)) {
			t.Fatalf("read is %d of %d good and %d bad", b.Read, len(b.Records), len(b.Bad))
		}
		o.batches++
		for i := range b.Records {
			o.ids = append(o.ids, b.Records[i].ID)
			o.offsets = append(o.offsets, b.Records[i].Offset)
		}
		for _, x := range b.Bad {
			o.bad = append(o.bad, fmt.Sprintf("%d %s: %s", x.Offset, x.Type, x.Message))
		}
	}
}

// inMemory reads with ReadAll.
func inMemory(t testing.TB, file string, opts logfile.Options) outcome {
	t.Helper()
	once := false
	return collect(t, func() (*logfile.Batch, error) {
		if once {
			return nil, io.EOF
		}
		once = true
		return logfile.ReadAll(context.Background(), "file", []byte(file), opts)
	})
}

// readAll reads in every way there is, and demands that they agree.
func readAll(t testing.TB, file string, opts logfile.Options) outcome {
	t.Helper()
	ctx := context.Background()
	whole := inMemory(t, file, opts)
	for name, src := range map[string]io.Reader{
		"at once": strings.NewReader(file), "byte by byte": iotest.OneByteReader(strings.NewReader(file)), "with its end": iotest.DataErrReader(strings.NewReader(file)),
	} {
		small := opts
		small.BatchSize = 300
		r := logfile.Open("file", src, small)
		streamed := collect(t, func() (*logfile.Batch, error) { return r.Next(ctx) })
		if fmt.Sprint(streamed.ids, streamed.offsets, streamed.bad) != fmt.Sprint(whole.ids, whole.offsets, whole.bad) {
			t.Fatalf("%s: read %s:\n%v %v\n%q\nin memory:\n%v %v\n%q", t.Name(), name, streamed.ids, streamed.offsets, streamed.bad, whole.ids, whole.offsets, whole.bad)
		}
	}
	return whole
}

func records(r ...string) string { return `{"Records":[` + strings.Join(r, ",") + `]}` }

func TestForms(t *testing.T) {
	a, b, c := rec("a"), rec("b"), rec("c")
	for name, file := range map[string]string{
		"Records":                 records(a, b, c),
		"Records in gzip":         zip(records(a, b, c)),
		"gzip in members":         zip(records(a, b, c)[:200], records(a, b, c)[200:]),
		"files one after another": records(a) + "\n" + records(b, c),
		"gzip files joined":       zip(records(a)) + zip(records(b, c)),
		"a bare list":             "[" + a + "," + b + "," + c + "]",
		"JSON lines":              a + "\n" + b + "\n" + c + "\n",
		"JSON lines of Windows":   a + "\r\n" + b + "\r\n" + c + "\r\n",
		"JSON lines in gzip":      zip(a + "\n" + b + "\n" + c),
		"records without lines":   a + b + c,
		"lines of Records":        records(a) + "\n" + records(b) + "\n" + records(c),
		"white space":             " \n { \"Records\" : [ \t" + a + " ,\n" + b + "\r\n,\n" + c + " ] } \n",
		"a byte order mark":       "\xef\xbb\xbf" + records(a, b, c),
		"members around Records":  `{"x":{"y":["]}",{}]},"Records":[` + a + `],"z":1,"Records":[` + b + `,` + c + `]}`,
		"an empty list as well":   `{"Records":[]}` + records(a, b, c) + `[]`,
		"a list of other members": `[` + a + `,` + b + `,{"x":[{}],` + c[1:] + `]`,
		"a line of other members": a + "\n" + b + "\n" + `{"x":"y",` + c[1:],
	} {
		t.Run(name, func(t *testing.T) {
			o := readAll(t, file, logfile.Options{})
			if fmt.Sprint(o.ids) != "[a b c]" || len(o.bad) > 0 {
				t.Errorf("read %v, bad %q", o.ids, o.bad)
			}
		})
	}
	o := readAll(t, a, logfile.Options{})
	if fmt.Sprint(o.ids) != "[a]" || len(o.bad) > 0 {
		t.Errorf("of a single record read %v, bad %q", o.ids, o.bad)
	}
	if o := readAll(t, records(), logfile.Options{}); len(o.ids)+len(o.bad) > 0 {
		t.Errorf("of no records read %v, bad %q", o.ids, o.bad)
	}
}

func TestOffsets(t *testing.T) {
	file := records(rec("a"), " "+rec("b"), "\n"+rec("c"))
	o := readAll(t, zip(file), logfile.Options{})
	for i, id := range o.ids {
		if at := strings.Index(file, rec(id)); o.offsets[i] != int64(at) {
			t.Errorf("%s begins at %d, not %d", id, at, o.offsets[i])
		}
	}
}

func TestBad(t *testing.T) {
	a, b, c := rec("a"), rec("b"), rec("c")
	const head = len(`{"Records":[`)
	second := head + len(a) + 1 // where the second of several records begins
	deep := func(n int) string {
		return `{"eventVersion":"1","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	large := `{"eventVersion":"1","x":"` + strings.Repeat("y", event.MaxEventSize) + `{[\"]}"}`
	zipped := zip(records(a, b, c))
	sound := zip(records(a, b))
	flipped := []byte(sound)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	for _, x := range []struct {
		name, file string
		ids        string
		bad        []string // each "offset type", and behind a colon what the message says
	}{
		{"an empty file", "", "", []string{"-1 EmptyFile"}},
		{"white space alone", " \n\n", "", []string{"-1 EmptyFile"}},
		{"empty gzip", zip(""), "", []string{"-1 EmptyFile"}},
		{"text", "2023-07-10 hello", "", []string{"-1 NotALogFile: text"}},
		{"text in gzip", zip("hello"), "", []string{"-1 NotALogFile: text"}},
		{"binary", "\x00\x01\x02\xff", "", []string{"-1 NotALogFile: binary"}},
		{"Parquet", "PAR1\x15\x04", "", []string{"-1 NotALogFile: Parquet"}},
		{"zip", "PK\x03\x04xxxxxxxx", "", []string{"-1 NotALogFile: application/zip"}},
		{"gzip twice", zip(zip(records(a))), "", []string{"-1 NotALogFile: gzip within gzip"}},
		{"zstd", "\x28\xb5\x2f\xfdxx", "", []string{"-1 NotALogFile: zstd"}},
		{"UTF-16", "\xff\xfe{\x00", "", []string{"-1 NotALogFile: UTF-16"}},
		{"HTML", "<!DOCTYPE html><html>", "", []string{"-1 NotALogFile: text/html"}},
		{"a digest", `{"awsAccountId":"1","digestStartTime":"2023-07-10T11:00:00Z","logFiles":[]}`, "", []string{"-1 DigestFile"}},
		{"a snapshot of Config", `{"fileVersion":"1.0","configSnapshotId":"x","configurationItems":[{"a":"}"}]}`, "", []string{"-1 NotALogFile: AWS Config"}},
		{"Records that are no list", `{"Records":{"a":1}}`, "", []string{"-1 NotALogFile: Records is not a list"}},
		{"an empty object", `{}`, "", []string{"0 MissingEventTime"}},
		{"a list of numbers", `[1,"x",null]`, "", []string{"1 RecordNotObject", "3 RecordNotObject", "7 RecordNotObject"}},
		{"a digest between lines", a + "\n" + `{"digestStartTime":"x"}` + "\n" + b, "a b", []string{fmt.Sprintf("%d DigestFile", len(a)+1)}},

		{"no object", records(a, `17`, b, `"x"`, `[`+c+`]`, c), "a b c",
			[]string{fmt.Sprintf("%d RecordNotObject", second), fmt.Sprintf("%d RecordNotObject", second+3+len(b)+1), fmt.Sprintf("%d RecordNotObject", second+3+len(b)+5)}},
		{"no eventTime", records(a, `{"eventVersion":"1"}`, b), "a b", []string{fmt.Sprintf("%d MissingEventTime", second)}},
		{"an eventTime out of range", records(a, `{"eventTime":"1969-12-31T23:59:59Z"}`, b), "a b", []string{fmt.Sprintf("%d EventTimeOutOfRange: 1969", second)}},
		{"an eventTime that is none", records(a, `{"eventTime":"x"}`, b), "a b", []string{fmt.Sprintf("%d InvalidEventTime", second)}},
		{"not UTF-8", records(a, "{\"eventVersion\":\"\xff]}\\\"\"}", b), "a b", []string{fmt.Sprintf("%d InvalidUTF8: at byte 17", second)}},
		{"deep", records(a, deep(5000), b), "a b", []string{fmt.Sprintf("%d NestedTooDeeply: deeper than 100 levels", second)}},
		{"over 1 MiB", records(a, large, b), "a b", []string{fmt.Sprintf("%d EventTooLarge: 1048576", second)}},
		{"over 1 MiB in a line", a + "\n" + large + "\n" + b, "a b", []string{fmt.Sprintf("%d EventTooLarge", len(a)+1)}},
		{"over 1 MiB alone", large, "", []string{"0 EventTooLarge"}},
		{"over 1 MiB and cut", records(a, large)[:second+event.MaxEventSize+9], "a", []string{fmt.Sprintf("%d EventTooLarge", second), fmt.Sprintf("%d TruncatedJSON", second+event.MaxEventSize+9)}},
		{"malformed", records(a, `{"eventVersion":tru}`, b), "a b", []string{fmt.Sprintf("%d MalformedJSON: expected true, found '}' (at byte 19", second)}},
		{"malformed at the end", records(a, `{"eventVersion":}`), "a", []string{fmt.Sprintf("%d MalformedJSON", second)}},
		{"malformed twice", records(a, `{"eventVersion":}`, `{eventVersion}`, b), "a b", []string{fmt.Sprintf("%d MalformedJSON", second), fmt.Sprintf("%d MalformedJSON", second+18)}},
		{"a quote missing", records(a, `{"eventVersion":"1","x":"y,"z":[1]}`, b, c), "a b c", []string{fmt.Sprintf("%d MalformedJSON", second)}},
		{"a bracket missing", records(a, `{"eventVersion":"1","x":{"y":1,"z":[1]`, b, c), "a b c", []string{fmt.Sprintf("%d MalformedJSON", second)}},
		{"no quote of the sort that begins a string", records(a, `{eventVersion":"1"}`, b, c), "a b c", []string{fmt.Sprintf("%d MalformedJSON", second)}},
		{"a comma missing", `[` + a + b + `,` + c + `]`, "a b c", []string{fmt.Sprintf("%d MalformedJSON: expected ','", 1+len(a))}},
		{"a comma too many", `[` + a + `,,` + b + `]`, "a b", []string{fmt.Sprintf("%d MalformedJSON: expected a record", 2+len(a))}},
		{"words between records", `[` + a + `,oops,` + b + ` oops , ` + c + `]`, "a b c",
			[]string{fmt.Sprintf("%d MalformedJSON", 2+len(a)), fmt.Sprintf("%d MalformedJSON: expected ',' or ']'", 8+len(a)+len(b))}},
		{"a bracket too many", `[` + a + `},` + b + `]`, "a b", []string{fmt.Sprintf("%d MalformedJSON", 1+len(a))}},
		{"a bad line", a + "\n" + `{"eventVersion":"1","x":"y` + "\n" + b + "\n" + c, "a b c", []string{fmt.Sprintf("%d MalformedJSON: control character", len(a)+1)}},
		{"a bad line of other members", a + "\n" + `{"x" "y"}` + "\n" + b, "a b", []string{fmt.Sprintf("%d MalformedJSON", len(a)+1)}},
		{"a line of words", a + "\nhello, world\nagain\n" + b + "\n" + c, "a b c", []string{fmt.Sprintf("%d MalformedJSON", len(a)+1)}},
		{"something behind the list", records(a) + "]}x\n" + b, "a b", []string{fmt.Sprintf("%d MalformedJSON", len(records(a)))}},

		{"cut in a record", records(a, b)[:second+20], "a", []string{fmt.Sprintf("%d TruncatedJSON: at byte 20", second)}},
		{"cut between records", records(a, b)[:second], "a", []string{fmt.Sprintf("%d TruncatedJSON: within a list", second)}},
		{"cut before the end", records(a, b)[:len(records(a, b))-1], "a b", []string{fmt.Sprintf("%d TruncatedJSON", len(records(a, b))-1)}},
		{"cut in a name", `{"Reco`, "", []string{"0 TruncatedJSON"}},
		{"cut in a line", a + "\n" + b[:30], "a", []string{fmt.Sprintf("%d TruncatedJSON", len(a)+1)}},

		{"gzip without an end", sound[:len(sound)-3], "a b", []string{fmt.Sprintf("%d TruncatedGzip", len(records(a, b)))}},
		{"gzip cut in its header", zipped[:7], "", []string{"-1 TruncatedGzip"}},
		{"gzip with a wrong checksum", string(flipped), "a b", []string{fmt.Sprintf("%d CorruptGzip: checksum", len(records(a, b)))}},
		{"gzip and something behind", sound + "trailing bytes", "a b", []string{fmt.Sprintf("%d CorruptGzip", len(records(a, b)))}},
		{"gzip with another compression", "\x1f\x8b\x07" + zipped[3:], "", []string{"-1 CorruptGzip"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			o := readAll(t, x.file, logfile.Options{})
			if got := strings.Join(o.ids, " "); got != x.ids {
				t.Errorf("read %q, not %q", got, x.ids)
			}
			fit := len(o.bad) == len(x.bad)
			for i := 0; fit && i < len(x.bad); i++ {
				where, says, _ := strings.Cut(x.bad[i], ": ")
				fit = strings.HasPrefix(o.bad[i], where+": ") && strings.Contains(o.bad[i], says)
			}
			if !fit {
				t.Errorf("bad are\n%s\nnot\n%s", strings.Join(o.bad, "\n"), strings.Join(x.bad, "\n"))
			}
		})
	}
}

// A gzip file cut or damaged anywhere keeps the records before, and says so once.
func TestDamagedGzip(t *testing.T) {
	var all []string
	for i := range 200 {
		all = append(all, rec(fmt.Sprintf("%d-%d", i, i*i*i*7919)))
	}
	whole := zip(records(all...))
	for cut := 10; cut < len(whole); cut += len(whole)/50 + 1 {
		o := readAll(t, whole[:cut], logfile.Options{})
		if len(o.bad) != 1 || !strings.Contains(o.bad[0], logfile.TruncatedGzip) {
			t.Fatalf("cut at %d: bad are %q", cut, o.bad)
		}
		damaged := []byte(whole)
		damaged[cut] ^= 0x55
		o = readAll(t, string(damaged), logfile.Options{})
		if len(o.bad) == 0 {
			t.Fatalf("damaged at %d: nothing bad", cut)
		}
	}
}

func TestBomb(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, `{"Records":[`+rec("a")); err != nil {
		t.Fatal(err)
	}
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 8 {
		if _, err := w.Write(spaces); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o := inMemory(t, b.String(), logfile.Options{RatioFrom: 1 << 20})
	if len(o.ids) != 1 || len(o.bad) != 1 || !strings.Contains(o.bad[0], "InflationLimitExceeded: the file inflates to more than 300 times") {
		t.Errorf("read %v, bad %q", o.ids, o.bad)
	}
	if o = inMemory(t, b.String(), logfile.Options{MaxSize: 4 << 20}); len(o.bad) != 1 || !strings.Contains(o.bad[0], "more than 4194304 bytes") {
		t.Errorf("bad are %q", o.bad)
	}
	if o = inMemory(t, b.String(), logfile.Options{RatioFrom: 16 << 20}); len(o.bad) != 1 || !strings.Contains(o.bad[0], "TruncatedJSON") {
		t.Errorf("bad are %q", o.bad)
	}
}

// A large file comes in batches of bounded size.
func TestBatches(t *testing.T) {
	var all []string
	for i := range 5000 {
		all = append(all, rec(fmt.Sprint(i)))
	}
	r := logfile.Open("file", strings.NewReader(zip(records(all...))), logfile.Options{BatchSize: 10_000})
	count := 0
	for {
		b, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(b.Bad) > 0 {
			t.Fatal(err, b.Bad)
		}
		size := 0
		for i := range b.Records {
			if want := all[count]; string(b.Records[i].Text) != want {
				t.Fatalf("record %d is %s", count, b.Records[i].Text)
			}
			count++
			size += len(b.Records[i].Text)
		}
		if size > 11_000 {
			t.Fatalf("a batch has %d bytes", size)
		}
	}
	if count != 5000 {
		t.Errorf("read %d", count)
	}
	bad := logfile.Open("file", strings.NewReader("["+strings.Repeat("1,", 10_000)+"1]"), logfile.Options{})
	if b, err := bad.Next(t.Context()); err != nil || len(b.Bad) != 1024 {
		t.Errorf("a batch has %d bad records, %v", len(b.Bad), err)
	}
}

func TestSourceFails(t *testing.T) {
	broken := errors.New("connection reset")
	for _, file := range []string{"", "{", records(rec("a"))[:50], zip(records(rec("a")))[:12], zip(records(rec("a")))[:5]} {
		r := logfile.Open("key", io.MultiReader(strings.NewReader(file), iotest.ErrReader(broken)), logfile.Options{})
		_, err := r.Next(t.Context())
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "key") {
			t.Errorf("%q: the error is %v", file, err)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after it: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := logfile.Open("f", strings.NewReader("{}"), logfile.Options{}).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := logfile.ReadAll(ctx, "f", []byte("{}"), logfile.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCorpus(t *testing.T) {
	files := corpus(t)
	if len(files) == 0 {
		t.Skip("the corpus is not here")
	}
	total := 0
	for _, f := range files {
		o := readAll(t, string(f), logfile.Options{})
		if len(o.bad) > 0 {
			t.Fatal(o.bad)
		}
		total += len(o.ids)
	}
	if total != 2900 {
		t.Errorf("read %d events of 2900", total)
	}
}

func FuzzRead(f *testing.F) {
	a, b := rec("a"), rec("b")
	for _, s := range []string{records(a, b), zip(records(a, b)), a + "\n" + b, "[" + a + "," + b + "]", records(a, `{"eventVersion":"1","x":"y,"z":[1]}`, b),
		zip(records(a, b))[:60], `{"x":1,"Records":[{}],"y":[]}`, "\xef\xbb\xbf[]", `[` + a + `,oops,` + b + `}]x`, `{"digestStartTime":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		o := readAll(t, string(file), logfile.Options{})
		for i := 1; i < len(o.offsets); i++ {
			if o.offsets[i] <= o.offsets[i-1] {
				t.Fatalf("records are at %v", o.offsets)
			}
		}
	})
}
