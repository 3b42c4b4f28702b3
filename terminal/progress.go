package terminal

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// State is how far a piece of work has come. TotalBytes 0 means that nobody knows how much there is.
type State struct {
	Events     int64
	Files      int64
	Bytes      int64
	TotalFiles int64
	TotalBytes int64
	Unit       string // of work that is not counted in events: what Files and TotalFiles count, as in "files"
}

// Progress shows how far work has come: a bar on a terminal, a plain line every five seconds elsewhere, and nothing before two seconds have passed.
type Progress struct {
	out   io.Writer
	label string
	tty   bool
	start time.Time

	mu    sync.Mutex
	state State
	bars  *mpb.Progress
	bar   *mpb.Bar

	stop chan struct{}
	done sync.WaitGroup
}

// NewProgress starts to show work on f, the standard error stream as a rule. Close ends it.
func NewProgress(f *os.File, label string) *Progress {
	p := &Progress{out: f, label: label, tty: term.IsTerminal(int(f.Fd())), start: time.Now(), stop: make(chan struct{})}
	p.done.Go(p.run)
	return p
}

// Set tells the present state.
func (p *Progress) Set(s State) {
	p.mu.Lock()
	p.state = s
	p.mu.Unlock()
}

// Close takes the bar away and waits until nothing more is written.
func (p *Progress) Close() {
	close(p.stop)
	p.done.Wait()
}

func (p *Progress) run() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	lastLine := p.start
	for {
		select {
		case <-p.stop:
			if p.bars != nil {
				p.bar.Abort(true)
				p.bars.Wait()
			}
			return
		case now := <-tick.C:
			if now.Sub(p.start) < 2*time.Second {
				continue
			}
			p.mu.Lock()
			s := p.state
			p.mu.Unlock()
			switch {
			case p.tty:
				p.show(s)
			case now.Sub(lastLine) >= 5*time.Second:
				lastLine = now
				fmt.Fprintln(p.out, p.line(s, now))
			}
		}
	}
}

func (p *Progress) show(s State) {
	if p.bars == nil {
		p.bars = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40))
		p.bar = p.bars.AddBar(0, mpb.PrependDecorators(decor.Name(p.label)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.detail(p.state, time.Now())
			})))
	}
	if s.TotalBytes > 0 {
		p.bar.SetTotal(max(s.TotalBytes, s.Bytes+1), false)
		p.bar.SetCurrent(s.Bytes)
	}
}

func (p *Progress) line(s State, now time.Time) string {
	percent := ""
	if s.TotalBytes > 0 {
		percent = fmt.Sprintf(" %d%%", min(100, s.Bytes*100/s.TotalBytes))
	}
	return p.label + percent + " " + p.detail(s, now)
}

func (p *Progress) detail(s State, now time.Time) string {
	took := now.Sub(p.start).Seconds()
	text := fmt.Sprintf("%s events, %s, %s events/s", Count(s.Events), Bytes(s.Bytes), Count(int64(float64(s.Events)/took)))
	if s.Unit != "" {
		text = Count(s.Files)
		if s.TotalFiles > 0 {
			text += " of " + Count(s.TotalFiles)
		}
		text += " " + s.Unit
		if s.Bytes > 0 {
			text += fmt.Sprintf(", %s, %s/s", Bytes(s.Bytes), Bytes(int64(float64(s.Bytes)/took)))
		}
	}
	if s.TotalBytes > 0 && s.Bytes > 0 && s.Bytes < s.TotalBytes {
		left := time.Duration(took / float64(s.Bytes) * float64(s.TotalBytes-s.Bytes) * float64(time.Second))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}

// Count writes a number with its thousands apart.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Counted writes how many of a thing there are: "1 file", "2,000 files".
func Counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Count(n) + " " + thing
}

// Bytes writes a size in units of 1,000.
func Bytes(n int64) string {
	switch f := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", f/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.2f GB", f/1e9)
	}
}
