package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// meter passes connections on to an address, and counts the bytes that come back.
type meter struct {
	at   string // where it listens
	sent atomic.Int64

	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool // nil: closed
}

func newMeter(to string) (*meter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &meter{at: l.Addr().String(), listener: l, open: map[net.Conn]bool{}}
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			m.wg.Go(func() { m.pass(c, to) })
		}
	})
	return m, nil
}

// pass carries one connection until either side ends it.
func (m *meter) pass(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return // the caller sees its connection closed
	}
	defer far.Close()
	if !m.keep(near, far) {
		return
	}
	defer m.forget(near, far)
	var back sync.WaitGroup
	back.Go(func() {
		io.CopyBuffer(counter{near, &m.sent}, onlyRead{far}, make([]byte, meterBuffer)) // however it ends, the connection ends
		near.Close()
	})
	io.Copy(far, near)
	far.Close()
	back.Wait()
}

func (m *meter) keep(conns ...net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		return false
	}
	for _, c := range conns {
		m.open[c] = true
	}
	return true
}

func (m *meter) forget(conns ...net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range conns {
		delete(m.open, c)
	}
}

func (m *meter) close() {
	m.listener.Close()
	m.mu.Lock()
	for c := range m.open {
		c.Close()
	}
	m.open = nil
	m.mu.Unlock()
	m.wg.Wait()
}

// meterBuffer is large, so that the meter takes little of the cores that it shares with what is measured.
const meterBuffer = 256 << 10

type counter struct {
	to io.Writer
	n  *atomic.Int64
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// onlyRead hides what else a connection can, which io.CopyBuffer would use instead of its buffer.
type onlyRead struct{ io.Reader }

// freeAddress is an address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
