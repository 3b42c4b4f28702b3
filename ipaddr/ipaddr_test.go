package ipaddr_test

import (
	"errors"
	"testing"

	"github.com/lochlake/loch/ipaddr"
)

func TestTexts(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.2": "10.0.0.2", "2001:DB8::00A1": "2001:db8::a1", "::ffff:1.2.3.4": "1.2.3.4", "::1.2.3.4": "::102:304", "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
		"1:0:0:2:0:0:3:4": "1::2:0:0:3:4", "::": "::", "010.0.0.1": "", " 10.0.0.1": "", "1::2::3": "", "localhost": "", "": "", "AWS Internal": "", "é": "", "50%": "",
	} {
		b, ok, err := ipaddr.Parse(in)
		if got := string(ipaddr.Append(nil, b)); err != nil || ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %s, %v, %v; want %s", in, got, ok, err, want)
		}
	}
	for _, in := range []string{"fe80::1%eth0", "١.2.3.4"} {
		if _, _, err := ipaddr.Parse(in); !errors.Is(err, ipaddr.ErrNotYet) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	for _, tt := range []struct {
		network, address string
		want             bool
	}{{"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "11.1.2.3", false}, {"0.0.0.0/0", "::1", false}, {"::/0", "1.2.3.4", true}, {"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::1/64", "2001:db8::2", true}, {"::ffff:10.0.0.0/104", "10.9.9.9", true}} {
		n, err := ipaddr.ParseNetwork(tt.network)
		b, _, err2 := ipaddr.Parse(tt.address)
		if err != nil || err2 != nil || n.Contains(b) != tt.want {
			t.Errorf("%v: %v, %v", tt, err, err2)
		}
	}
	for _, bad := range []string{"10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/9", "x/8", "::/129", "/"} {
		if _, err := ipaddr.ParseNetwork(bad); err == nil {
			t.Errorf("%q is no network", bad)
		}
	}
}
