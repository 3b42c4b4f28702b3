package samples

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Match is a query that a search found.
type Match struct {
	*Query
	Relevance float64 // from above 0 to 1: how alike the phrase and the query's words are
}

// The words of a query count by where they stand.
const (
	inName        = 3
	inKeywords    = 2
	inDescription = 1
	inSQL         = 0.25
)

// index has, for every query, how much each of its words counts, scaled so that the squares add up to 1; and how rare each word is.
var index = sync.OnceValues(func() (counts []map[string]float64, rare map[string]float64) {
	counts = make([]map[string]float64, len(All()))
	in := map[string]float64{} // queries that have the word
	for i, q := range All() {
		counts[i] = map[string]float64{}
		for text, weight := range map[string]float64{q.Name: inName, q.keywords: inKeywords, q.Description: inDescription, q.SQL: inSQL} {
			for _, w := range words(text) {
				counts[i][w] = max(counts[i][w], weight)
			}
		}
		for w := range counts[i] {
			in[w]++
		}
	}
	rare = map[string]float64{}
	for w, n := range in {
		rare[w] = math.Log(1 + float64(len(All()))/n)
	}
	for _, c := range counts {
		for w := range c {
			c[w] *= rare[w]
		}
		scale(c)
	}
	return counts, rare
})

// scale makes the squares add up to 1. Sums go by the words' order, so that the same phrase always gives the same figures.
func scale(v map[string]float64) {
	sum := 0.0
	for _, w := range slices.Sorted(maps.Keys(v)) {
		sum += v[w] * v[w]
	}
	for w := range v {
		v[w] /= math.Sqrt(sum)
	}
}

// Search finds the queries that share words with a phrase, the most alike first: the cosine between the words of both, rare words counting more. Forms and
// common synonyms of a word are one word.
func Search(phrase string) []Match {
	all, asked := All(), map[string]float64{}
	counts, rare := index()
	for _, w := range words(phrase) {
		if r, ok := rare[w]; ok {
			asked[w] = r
		} else {
			asked[w] = math.Log(1 + float64(len(all))) // a word that no query has makes all of them less alike
		}
	}
	scale(asked)
	var found []Match
	order := slices.Sorted(maps.Keys(asked))
	for i := range all {
		sum := 0.0
		for _, w := range order {
			sum += asked[w] * counts[i][w]
		}
		if sum > 0 {
			found = append(found, Match{&all[i], min(sum, 1)})
		}
	}
	slices.SortStableFunc(found, func(a, b Match) int { return cmp.Compare(b.Relevance, a.Relevance) })
	return found
}

// words gives the words of a text that matter, in the form in which they are compared.
func words(text string) []string {
	var list []string
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if w = stem(w); w == "" || unimportant()[w] {
			continue
		}
		if s, ok := synonyms()[w]; ok {
			w = s
		}
		list = append(list, w)
	}
	return list
}

// stem takes English endings off, roughly.
func stem(w string) string {
	for _, end := range []string{"ations", "ation", "ings", "ing", "ions", "ion", "ies", "ers", "er", "ed", "es", "s", "y", "e"} {
		if rest, ok := strings.CutSuffix(w, end); ok && len(rest) >= 3 {
			return rest
		}
	}
	return w
}

// stems makes a set or a map of stemmed words.
func stems(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[stem(w)] = true
	}
	return set
}

// unimportant are words that tell nothing about what is sought, SQL's among them.
var unimportant = sync.OnceValue(func() map[string]bool {
	return stems("a an and any are as at be been by can did do does event events find for from had has have he her his how i if in into is it its list me my not of on or our " +
		"out query queries show shows sample select she that the their them there they this those to was we were what when where which who whom whose why will with without you your " +
		"group order count where between coalesce desc limit distinct asc null true false case end cast over join then aws")
})

// synonyms gives words of one meaning one of them.
var synonyms = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, line := range []string{"login signin logon logins log-in", "delete remove removed erase destroy", "ip address addresses", "create created new made make", "change modify modified update edit alter",
		"deny denied refuse refused unauthorized forbidden", "failed failure fail error", "exfiltration leak stolen theft steal", "bucket s3", "secret secretsmanager password", "permission right privilege access",
		"administrator admin", "user person people", "instance ec2 vm machine server", "database rds", "function lambda", "region regions", "download read", "internet world public"} {
		fields := strings.Fields(line)
		for _, w := range fields {
			m[stem(w)] = stem(fields[0])
		}
	}
	return m
})
