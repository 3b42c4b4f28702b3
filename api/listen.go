package api

import (
	"net"
	"sync"
)

// Bounded keeps the open connections of a listener to n: while there are n, new ones wait in the system's queue. Otherwise whoever opens enough of
// them, without a key, takes the file descriptors that the tables' files need.
func Bounded(l net.Listener, n int) net.Listener {
	return &bounded{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{})}
}

type bounded struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &placed{Conn: c, leave: sync.OnceFunc(func() { <-b.places })}, nil
}

// Close also ends an Accept that waits for a place.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// placed is a connection that has one of the places.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
