// Package ipaddr is IP addresses and networks as Trino reads, prints and compares them: 16 bytes each, an IPv4 address as the IPv6 address that it is
// mapped to, so that their order is that of their bytes.
package ipaddr

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// ErrNotYet is a text that Trino reads and that is not read here: digits of other scripts, and addresses with a scope.
var ErrNotYet = errors.New("not supported yet")

// Parse reads an address; ok is false where the text is none. No blanks may stand around it and no zeros before a number of an IPv4 address.
func Parse(s string) (b [16]byte, ok bool, err error) {
	for _, r := range s {
		if r >= 0x80 && unicode.IsDigit(r) || r == '%' && strings.Contains(s, ":") {
			return b, false, ErrNotYet
		}
	}
	a, parseErr := netip.ParseAddr(s)
	return a.As16(), parseErr == nil, nil
}

// FromBytes makes an address of 4 or 16 bytes.
func FromBytes(raw []byte) (b [16]byte, ok bool) {
	a, ok := netip.AddrFromSlice(raw)
	return a.As16(), ok
}

// Append writes an address: an IPv4 address with points, an IPv6 address in the shortest form (RFC 5952).
func Append(dst []byte, b [16]byte) []byte {
	return netip.AddrFrom16(b).Unmap().AppendTo(dst)
}

// Network is a range of addresses as contains() reads it: "10.0.0.0/8".
type Network struct {
	base [16]byte
	bits int
}

// ParseNetwork reads a network. Only of one in IPv4's notation the bits beyond the prefix must be zero.
func ParseNetwork(s string) (n Network, err error) {
	address, prefix, ok := strings.Cut(s, "/")
	if !ok {
		return n, errors.New("Invalid CIDR")
	}
	base, ok, err := Parse(address)
	if err != nil {
		return n, err
	}
	if !ok {
		return n, errors.New("Invalid network IP address")
	}
	bits, err := strconv.ParseInt(prefix, 10, 32)
	if err != nil {
		return n, errors.New("For input string: \"" + prefix + "\"")
	}
	if bits < 0 {
		return n, errors.New("Invalid prefix length")
	}
	n = Network{base, int(bits)}
	if strings.Contains(address, ":") {
		if bits > 128 {
			return n, errors.New("Invalid CIDR")
		}
		return n, nil
	}
	if n.bits += 96; bits > 32 || n.masked(base) != base {
		return n, errors.New("Invalid CIDR")
	}
	return n, nil
}

// masked leaves the first bits of an address.
func (n Network) masked(b [16]byte) [16]byte {
	for i := range b {
		switch keep := n.bits - 8*i; {
		case keep <= 0:
			b[i] = 0
		case keep < 8:
			b[i] &= 0xff << (8 - keep)
		}
	}
	return b
}

// Contains tells whether the network holds an address.
func (n Network) Contains(b [16]byte) bool { return n.masked(b) == n.masked(n.base) }
