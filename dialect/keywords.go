package dialect

// Trino's words (its grammar, SqlBase.g4, release 476). A reserved word is a name only between quotes.

const reservedWords = `ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG CURRENT_DATE CURRENT_PATH CURRENT_ROLE
CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE EXCEPT EXECUTE EXISTS EXTRACT
FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN JSON_ARRAY JSON_EXISTS JSON_OBJECT JSON_QUERY JSON_TABLE
JSON_VALUE LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP
TABLE THEN TRIM TRUE UESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH`

const plainWords = `ABSENT AFTER ALL ANY ARRAY ASC AT AUTO BERNOULLI BOTH COLUMNS CONDITIONAL COPARTITION COUNT CURRENT DATE DAY DEFAULT DEFINE DESC
DESCRIPTOR DOUBLE EMPTY ENCODING ERROR FETCH FILTER FINAL FIRST FOLLOWING FORMAT FUNCTION GROUPS HOUR IF IGNORE INITIAL INTERVAL JSON KEEP KEY KEYS
LAST LATERAL LEADING LIMIT MAP MATCH MATCHES MATCH_RECOGNIZE MATERIALIZED MEASURES MINUTE MONTH NESTED NEXT NFC NFD NFKC NFKD NULLIF NULLS OBJECT
OF OFFSET OMIT ONE ONLY ORDINALITY OVER OVERFLOW PARTITION PASSING PAST PATH PATTERN PER PERMUTE PLAN POSITION PRECEDING PRECISION PRUNE QUOTES
RANGE RESPECT RETURNING ROW ROWS RUNNING SCALAR SECOND SEEK SETS SHOW SOME SUBSET SUBSTRING SYSTEM TABLESAMPLE TEXT_STRING TIES TIME
TIMESTAMP TO TRAILING TRUNCATE TRY_CAST UNBOUNDED UNCONDITIONAL UNIQUE UNKNOWN UNMATCHED UTF16 UTF32 UTF8 VALUE VERSION WINDOW WITHIN WITHOUT
WRAPPER YEAR ZONE`

type wordInfo struct {
	word     string
	reserved bool
}

var words = func() map[string]wordInfo {
	m := map[string]wordInfo{}
	add := func(list string, reserved bool) {
		begin := -1
		for i := 0; i <= len(list); i++ {
			if i < len(list) && wordByte(list[i]) {
				if begin < 0 {
					begin = i
				}
			} else if begin >= 0 {
				m[list[begin:i]] = wordInfo{list[begin:i], reserved}
				begin = -1
			}
		}
	}
	add(reservedWords, true)
	add(plainWords, false)
	return m
}()

func upper(s string, buf []byte) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 0x20
		}
		buf = append(buf, c)
	}
	return buf
}

// keyword is s in upper case where it is a keyword, else "".
func keyword(s string) string {
	var buf [24]byte
	if len(s) > len(buf) {
		return ""
	}
	return words[string(upper(s, buf[:0]))].word
}

func reserved(word string) bool { return word != "" && words[word].reserved }
