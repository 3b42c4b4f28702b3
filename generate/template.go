package generate

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// template is a text with {names} in it, cut up once. A thing of the account (a bucket, a key) is the same wherever one event names it; a number or random id is a new one at each place.
type template []part

type part struct {
	text string
	slot slot
}

type slot uint8

const (
	literal slot = iota
	bucket
	object
	instance
	function
	table
	queue
	secret
	key
	group
	image
	subnet
	role
	accountID
	regionName
	callerARN
	actionName
	ip
	dashIP
	stamp
	date
	number
	anUUID
	base64Text
	hex2
	hex8
	hex16
	hex17
	hex32
	id17
)

var slots = map[string]slot{
	"bucket": bucket, "object": object, "instance": instance, "function": function, "table": table, "queue": queue, "secret": secret,
	"key": key, "group": group, "image": image, "subnet": subnet, "role": role, "account": accountID, "region": regionName, "arn": callerARN,
	"action": actionName, "ip": ip, "daship": dashIP, "time": stamp, "date": date, "n": number, "uuid": anUUID, "b64": base64Text,
	"hex2": hex2, "hex8": hex8, "hex16": hex16, "hex17": hex17, "hex32": hex32, "id17": id17,
}

// compile cuts a text up. Braces around anything but a slot's name are JSON's own.
func compile(text string) template {
	var t template
	for text != "" {
		open := -1
		var name string
		for i := 0; i < len(text); i++ {
			if text[i] != '{' {
				continue
			}
			if end := strings.IndexByte(text[i:], '}'); end > 0 {
				if _, ok := slots[text[i+1:i+end]]; ok {
					open, name = i, text[i+1:i+end]
					break
				}
			}
		}
		if open < 0 {
			return append(t, part{text: text})
		}
		if open > 0 {
			t = append(t, part{text: text[:open]})
		}
		t = append(t, part{slot: slots[name]})
		text = text[open+len(name)+2:]
	}
	return t
}

// scene is what the slots of one event mean.
type scene struct {
	account *account
	region  string
	arn     string
	action  string
	at      time.Time
	rnd     *rand.Rand
	picked  [role + 1]string
}

func (s *scene) thing(sl slot) string {
	if v := s.picked[sl]; v != "" {
		return v
	}
	one := func(list []string) string { return list[s.rnd.IntN(len(list))] }
	var v string
	switch sl {
	case bucket:
		v = one(s.account.buckets)
	case object:
		v = fmt.Sprintf("%s/%s/%s.json", one([]string{"in", "out", "export", "users", "orders"}), s.at.Format("2006/01/02"), random(s.rnd, hexDigits, 12))
	case instance:
		v = one(s.account.instances)
	case function:
		v = one(s.account.functions)
	case table:
		v = one(s.account.tables)
	case queue:
		v = one(s.account.queues)
	case secret:
		v = one(s.account.secrets)
	case key:
		v = one(s.account.keys)
	case group:
		v = one(s.account.groups)
	case image:
		v = one(s.account.images)
	case subnet:
		v = one(s.account.subnets)
	case role:
		v = one(s.account.functions) + "-role"
	}
	s.picked[sl] = v
	return v
}

func (s *scene) append(b []byte, t template) []byte {
	for _, p := range t {
		switch p.slot {
		case literal:
			b = append(b, p.text...)
		case accountID:
			b = append(b, s.account.id...)
		case regionName:
			b = append(b, s.region...)
		case callerARN:
			b = append(b, s.arn...)
		case actionName:
			b = append(b, s.action...)
		case ip:
			b = fmt.Appendf(b, "10.40.%d.%d", s.rnd.IntN(16), 1+s.rnd.IntN(250))
		case dashIP:
			b = fmt.Appendf(b, "10-40-%d-%d", s.rnd.IntN(16), 1+s.rnd.IntN(250))
		case stamp:
			b = s.at.AppendFormat(b, time.RFC3339)
		case date:
			b = s.at.AppendFormat(b, "2006/01/02")
		case number:
			b = strconv.AppendInt(b, int64(s.rnd.IntN(90000)), 10)
		case anUUID:
			b = appendUUID(b, s.rnd.Uint64(), s.rnd.Uint64())
		case base64Text:
			var raw [32]byte
			for i := range raw {
				raw[i] = byte(s.rnd.Uint32())
			}
			b = base64.StdEncoding.AppendEncode(b, raw[:])
		case hex2, hex8, hex16, hex17, hex32:
			b = appendRandom(b, s.rnd, hexDigits, map[slot]int{hex2: 2, hex8: 8, hex16: 16, hex17: 17, hex32: 32}[p.slot])
		case id17:
			b = appendRandom(b, s.rnd, idDigits, 17)
		default:
			b = append(b, s.thing(p.slot)...)
		}
	}
	return b
}

func appendRandom(b []byte, r *rand.Rand, digits string, n int) []byte {
	for range n {
		b = append(b, digits[r.IntN(len(digits))])
	}
	return b
}

// appendUUID writes a version 4 UUID of two random words.
func appendUUID(b []byte, hi, lo uint64) []byte {
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	for i, w := range [2]uint64{hi, lo} {
		for j := range 16 {
			if i == 0 && (j == 8 || j == 12) || i == 1 && (j == 0 || j == 4) {
				b = append(b, '-')
			}
			b = append(b, hexDigits[w>>(60-4*j)&15])
		}
	}
	return b
}
