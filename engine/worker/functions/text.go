package functions

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// text are the functions over strings. Characters are code points, as to Trino.
func text(d definer) {
	d.failing("loch_levenshtein_distance(varchar, varchar) bigint", levenshtein)
	d.failing("loch_soundex(varchar) varchar", soundex)
	d.failing("loch_luhn_check(varchar) boolean", luhn)
	d.failing("loch_normalize(varchar, varchar) varchar", func(a Row, r *Result) error {
		form, ok := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[a.At(1).Text()]
		if !ok {
			return errorf("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
		}
		r.Bytes(form.Append(r.Scratch[:0], a.At(0).Bytes()...))
		return nil
	})
	d.failing("loch_strpos(varchar, varchar, bigint) bigint", position)
	d.define("loch_from_utf8(varbinary) varchar", func(a Row, r *Result) { r.Bytes(validText(r, a.At(0).Bytes(), "\ufffd")) })
	d.failing("loch_from_utf8_text(varbinary, varchar) varchar", func(a Row, r *Result) error {
		with := a.At(1).Text()
		if utf8.RuneCountInString(with) > 1 {
			return errorf("Replacement character string must empty or a single character")
		}
		r.Bytes(validText(r, a.At(0).Bytes(), with))
		return nil
	})
	d.failing("loch_from_utf8_code(varbinary, bigint) varchar", func(a Row, r *Result) error {
		c := a.At(1).Int()
		if c < 0 || c > unicode.MaxRune || c >= 0xd800 && c < 0xe000 {
			return errorf("Invalid replacement character")
		}
		r.Bytes(validText(r, a.At(0).Bytes(), string(rune(c))))
		return nil
	})
	d.failing("loch_split_to_map(varchar, varchar, varchar) map(varchar, varchar)", func(a Row, r *Result) error {
		seen := map[string]bool{}
		var pairs [][2]string
		err := eachPair(a, "'", func(key, value string) error {
			if seen[key] {
				return errorf("Duplicate keys (%s) are not allowed", key)
			}
			seen[key] = true
			pairs = append(pairs, [2]string{key, value})
			return nil
		})
		if err != nil {
			return err
		}
		r.Begin()
		for _, p := range pairs {
			k, v := r.Entry()
			k.Text(p[0])
			v.Text(p[1])
		}
		r.End()
		return nil
	})
	d.failing("loch_split_to_multimap(varchar, varchar, varchar) map(varchar, array(varchar))", func(a Row, r *Result) error {
		var keys []string
		values := map[string][]string{}
		err := eachPair(a, "", func(key, value string) error {
			if values[key] == nil {
				keys = append(keys, key)
			}
			values[key] = append(values[key], value)
			return nil
		})
		if err != nil {
			return err
		}
		r.Begin()
		for _, key := range keys {
			k, v := r.Entry()
			k.Text(key)
			v.Begin()
			for _, value := range values[key] {
				v.Elem().Text(value)
			}
			v.End()
		}
		r.End()
		return nil
	})
	d.failing("loch_hamming_distance(varchar, varchar) bigint", func(a Row, r *Result) error {
		left, right := a.At(0).Text(), a.At(1).Text()
		n := int64(0)
		for left != "" && right != "" {
			x, i := utf8.DecodeRuneInString(left)
			y, j := utf8.DecodeRuneInString(right)
			left, right = left[i:], right[j:]
			if x != y {
				n++
			}
		}
		if left != right {
			return errorf("The input strings to hamming_distance function must have the same length")
		}
		r.Int(n)
		return nil
	})
}

// levenshtein counts the insertions, deletions and changes of one character that make one string of another.
func levenshtein(a Row, r *Result) error {
	left, right := []rune(a.At(0).Text()), []rune(a.At(1).Text())
	if len(left) < len(right) {
		left, right = right, left
	}
	switch {
	case len(right) == 0:
		r.Int(int64(len(left)))
		return nil
	case len(left)*(len(right)-1) > 1_000_000:
		return errorf("The combined inputs for Levenshtein distance are too large")
	}
	// One row of the table of distances between beginnings of the two.
	row := make([]int, len(right))
	for j := range row {
		row[j] = j + 1
	}
	for i, x := range left {
		diagonal, before := i, i+1
		for j, y := range right {
			change := diagonal
			if x != y {
				change++
			}
			diagonal = row[j]
			before = min(change, diagonal+1, before+1)
			row[j] = before
		}
	}
	r.Int(int64(row[len(row)-1]))
	return nil
}

// soundex is the American Soundex of the letters, in which H and W do not part equal sounds.
func soundex(a Row, r *Result) error {
	const sounds = "01230120022455012623010202"
	code := [4]byte{'0', '0', '0', '0'}
	n, last := 0, byte(0)
	for _, c := range a.At(0).Text() {
		if !unicode.IsLetter(c) {
			continue
		}
		if c = unicode.ToUpper(c); c < 'A' || c > 'Z' {
			return errorf("The character is not mapped: %c (index=%d)", c, c-'A')
		}
		sound := sounds[c-'A']
		switch {
		case n == 0:
			code[0], n = byte(c), 1
		case c == 'H' || c == 'W':
			continue
		case sound != '0' && sound != last && n < len(code):
			code[n] = sound
			n++
		}
		last = sound
	}
	if n == 0 {
		r.Text("")
		return nil
	}
	r.Bytes(code[:])
	return nil
}

// luhn tells whether a text of digits has the check digit of credit cards' numbers.
func luhn(a Row, r *Result) error {
	text := a.At(0).Text()
	sum := 0
	for i := range len(text) {
		digit := int(text[len(text)-1-i]) - '0'
		if digit < 0 || digit > 9 {
			return errorf("Input contains non-digit character")
		}
		if i%2 == 1 {
			digit = digit*2%10 + digit*2/10
		}
		sum += digit
	}
	r.Bool(text != "" && sum%10 == 0)
	return nil
}

// position is where the n-th occurrence of a text begins, counted from the end where n is negative. Occurrences may overlap.
func position(a Row, r *Result) error {
	text, part, n := a.At(0).Text(), a.At(1).Text(), a.At(2).Int()
	if n == 0 || n == -1<<63 {
		return errorf("'instance' must be a positive or negative number.")
	}
	if part == "" {
		r.Int(1)
		return nil
	}
	at := -1
	if n < 0 {
		at = len(text)
	}
	for ; n != 0; n -= step(n) {
		if n > 0 {
			next := strings.Index(text[at+1:], part)
			if next < 0 {
				r.Int(0)
				return nil
			}
			at += 1 + next
			continue
		}
		if at = strings.LastIndex(text[:max(0, min(len(text), at-1+len(part)))], part); at < 0 {
			r.Int(0)
			return nil
		}
	}
	r.Int(int64(utf8.RuneCountInString(text[:at])) + 1)
	return nil
}

// step is 1 or -1, as n is.
func step(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}

// validText is b with a replacement for each sequence of bytes that is no UTF-8.
func validText(r *Result, b []byte, with string) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := r.Scratch[:0]
	for len(b) > 0 {
		if c, n := utf8.DecodeRune(b); c != utf8.RuneError || n > 1 {
			out, b = append(out, b[:n]...), b[n:]
			continue
		}
		out, b = append(out, with...), b[invalid(b):]
	}
	r.Scratch = out
	return out
}

// invalid is how many bytes of b, which begins with no character, belong together: a first byte and those after it that could follow it.
func invalid(b []byte) int {
	n := 1
	switch first := b[0]; {
	case first < 0xc0 || first >= 0xfe:
	case first < 0xe0:
		n = 2
	case first < 0xf0:
		n = 3
	case first < 0xf8:
		n = 4
	case first < 0xfc:
		n = 5
	default:
		n = 6
	}
	for i := 1; i < n; i++ {
		if i == len(b) || b[i]&0xc0 != 0x80 {
			return i
		}
	}
	return n
}

// eachPair gives the keys and values that stand in the first argument, with the second between entries and the third between key and value.
func eachPair(a Row, quote string, pair func(key, value string) error) error {
	text, between, within := a.At(0).Text(), a.At(1).Text(), a.At(2).Text()
	switch {
	case between == "":
		return errorf("entryDelimiter is empty")
	case within == "":
		return errorf("keyValueDelimiter is empty")
	case between == within:
		return errorf("entryDelimiter and keyValueDelimiter must not be the same")
	}
	for text != "" {
		var entry string
		entry, text, _ = strings.Cut(text, between)
		key, value, ok := strings.Cut(entry, within)
		if !ok || strings.Contains(value, within) {
			return errorf("Key-value delimiter must appear exactly once in each entry. Bad input: %s%s%s", quote, entry, quote)
		}
		if err := pair(key, value); err != nil {
			return err
		}
	}
	return nil
}
