// Package server opens the rooms in order, wires them to each other and to the API, and closes them in reverse.
package server

import (
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/tlog"
)

// Config is what a server is started with. Zero values are the defaults named.
type Config struct {
	Dir     string // of everything the server keeps; made where it is missing
	Listen  string // host:port; port 0 picks a free one; "" is 127.0.0.1:4510
	KeyDir  string // of the secrets; "" is Dir
	Account string // 12 digits, of the root key; "" is the one that an existing key has, and DefaultAccount for a new one
	Region  string // that clients of the root key sign for unless told otherwise; "" is us-east-1

	StoreURL   string // where the tables lie: s3://bucket/prefix, or "" for Dir/lake
	StoreS3    S3     // how StoreURL is reached
	Immutable  bool   // with tables in Dir/lake: their files get the file system's flag of that name
	ColdPath   string // with tables in Dir/lake: a folder that files of old days move to; "": they stay
	ColdClass  string // with tables in a bucket: a storage class that files of old days move to; "": they stay
	ObjectLock string // LockOn: the bucket must have Object Lock; LockOff: it is not used; "": it is used where the bucket has it
	ColdDays   int    // how many days ago a day must have ended to be old; 90
	ImportS3   S3     // how the sources of imports are reached; where it is empty, as StoreS3

	CommitInterval  time.Duration // how long accepted events may wait before they are committed; 2 s
	MaxStores       int           // event data stores of an account in a region; 10
	AuditEventsRate float64       // PutAuditEvents calls a second of an account in a region; AWS's quota of 100
	CacheBytes      int64         // local cache of remote objects; 10 GB
	QueryMemory     int64         // of one query, bytes; 2 GB
	QueryThreads    int           // of one query; all cores
	QueryTemp       int64         // temporary files of one query, bytes; 20 GB
	QueryTime       time.Duration // of one query; 1 h
	QuerySlots      int           // queries that run at once; one for each core
	Engine          string        // where queries run: "" or "duckdb" is here, trino=http://user@host:8080/catalog is there

	NoCompaction    bool          // small files stay as they are
	CompactionShare float64       // of one core's time, while there is other work; a fifth
	CompactionQuiet time.Duration // how long a day must have got nothing before the rest of its small files is merged; 2 min
	CompactionEvery time.Duration // how often tables are looked at for files to merge; 5 s

	RetentionGrace time.Duration // how long nothing goes by a store's retention after AWS's call lowered it; 7 days

	Witnesses []tlog.Witness // that are asked to cosign the checkpoints of the transparency logs

	AllowRedaction bool // events may be erased

	Log  *slog.Logger     // nil: nothing is logged
	Disk disk.FS          // that the durable log and the identity indexes lie on; nil: the machine's
	Now  func() time.Time // nil: time.Now; what tells durations and deadlines is the machine's clock all the same
}

// DefaultAccount is whose root key a new folder gets where nobody says. AWS sets the number aside for documentation.
const DefaultAccount = "111122223333"

// S3 is how an S3-compatible store is reached.
type S3 struct {
	Endpoint, Region     string
	PathStyle            bool
	AccessKey, SecretKey string // both "": the AWS environment's, profile's or instance's

	Attempts int           // tries of one request; 6
	Stall    time.Duration // how long a request or an answer may go without a byte; 30 s
}

// Store is how package objstore is told so.
func (s S3) Store() objstore.S3Config {
	c := objstore.S3Config{Endpoint: s.Endpoint, Region: s.Region, PathStyle: s.PathStyle, Attempts: s.Attempts, Stall: s.Stall}
	if s.AccessKey != "" {
		c.Credentials = credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")
	}
	return c
}
