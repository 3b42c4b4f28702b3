// Package meta keeps the server's metadata: event data stores, channels, imports, queries, tags, and where each table's
// current metadata lies. It stores and finds; the rules are those of the rooms that call it.
// One interface, so that PostgreSQL can stand beside SQLite.
package meta

import (
	"context"
	"errors"
	"time"
)

// Errors that callers distinguish.
var (
	ErrNotFound = errors.New("no such row")       // nothing under that key
	ErrExists   = errors.New("row exists")        // the key, or a name that must be unique, is taken
	ErrConflict = errors.New("changed meanwhile") // a compare-and-swap lost
	// ErrSetBack: the stores' transparency logs tell of more than the metadata. Nothing may be gone on with from there.
	ErrSetBack = errors.New("the metadata was set back: it is older than a transparency log")
)

// Scope is whose and where a resource is.
type Scope struct {
	Account string // 12 digits
	Region  string
}

// EventDataStore is a store's settings. Times are UTC, to the millisecond.
type EventDataStore struct {
	Scope
	ID                    string // UUID, the last part of the ARN
	Name                  string
	Status                string // CREATED, ENABLED, PENDING_DELETION, STARTING_INGESTION, STOPPING_INGESTION, STOPPED_INGESTION
	Kind                  uint8  // event.Kind
	MultiRegion           bool
	Organization          bool
	RetentionDays         int
	BillingMode           string
	TerminationProtection bool
	Selectors             []byte // AdvancedEventSelectors as the API's JSON
	Created               time.Time
	Updated               time.Time
	DeleteAfter           time.Time // zero unless PENDING_DELETION
	StatusBefore          string    // the status that a restored store gets back; "" unless PENDING_DELETION
	Internal              bool      // not the API's: event history
	FederationStatus      string    // ENABLED or DISABLED: whether the Iceberg catalog shows the table
	FederationRoleArn     string    // "" unless ENABLED
	RemoveAfter           time.Time // until when nothing goes by retention, since that was lowered; zero: nothing waits
}

// Channel is a way in for events from outside AWS.
type Channel struct {
	Scope
	ID           string // UUID, the last part of the ARN
	Name         string
	Source       string
	Destinations []byte // Destinations as the API's JSON
	Ingestion    []byte // the latest attempts to bring events, as the room registry writes them; nil before the first
	Created      time.Time
	Updated      time.Time
}

// Import is one import job: of S3 objects by the server, or of files that a client streams.
type Import struct {
	Scope
	ID            string
	Stores        []string // store IDs; empty: live, routed by selectors
	Source        []byte   // ImportSource as the API's JSON, or {"Local": …} for streamed files
	Status        string   // INITIALIZING, IN_PROGRESS, FAILED, STOPPED, COMPLETED
	StartTime     time.Time
	EndTime       time.Time // of the events wanted; zero: no bound
	Created       time.Time
	Updated       time.Time
	Cursor        string // where listing goes on
	PrefixesFound int64
	PrefixesDone  int64
	Files         int64
	FilesKnown    int64 // done by an earlier run, skipped
	Bytes         int64
	Counts        Counts
	Failed        int64
}

// Counts is what became of the events of a source. Read = Stored + Known + Filtered + Expired + Bad holds always.
// (For a live import, which may reach several stores or none, an event counts once: stored where at least one store took it.)
type Counts struct {
	Read     int64 // records found, good or bad
	Stored   int64
	Known    int64 // stored before
	Filtered int64 // no selector, region or account matched
	Expired  int64 // older than the store's retention
	Bad      int64
	Foreign  int64 // of those read: of another account or region than the store's
	Conflict int64 // of those stored: identity known with another text
}

// Failure is one thing that an import could not read.
type Failure struct {
	ImportID string
	Seq      int64 // order, and paging key
	Location string
	Offset   int64 // in the inflated file; -1 where it concerns the whole file
	Type     string
	Message  string
	Status   string // FAILED, RETRY, SUCCEEDED
	Updated  time.Time
}

// Query is one query's life.
type Query struct {
	Scope
	ID           string
	Stores       []string
	SQL          string
	Alias        string   // of the template that SQL is, "" where the caller wrote it
	Parameters   []string // values of the template's parameters
	Status       string   // QUEUED, RUNNING, FINISHED, FAILED, CANCELLED, TIMED_OUT
	Error        string
	DeliveryURI  string
	Delivery     string // DeliveryStatus, "" without a DeliveryURI
	Principal    string // ARN of the caller
	Created      time.Time
	Ended        time.Time
	Execution    time.Duration
	Rows         int64
	Scanned      int64 // events
	Matched      int64 // events
	BytesScanned int64
}

// Table is where a store's Iceberg table stands.
type Table struct {
	StoreID  string
	Location string // of the current metadata JSON
	Previous string
	Applied  int64 // the durable log's sequence up to which the table holds everything meant for it
}

// Leaf is an entry of a store's transparency log that no published checkpoint covers yet.
type Leaf struct {
	Serial int64 // its index in the log
	Data   []byte
}

// DB is the metadata. Every method is one transaction, durable when it returns. Times are kept to the millisecond.
// The change functions run inside the transaction: they must be quick and must not call DB. They cannot change a row's ID or Scope.
type DB interface {
	CreateStore(ctx context.Context, s EventDataStore) error // ErrExists: ID, or name within the scope
	Store(ctx context.Context, id string) (EventDataStore, error)
	// Stores lists in (Created, ID) order those of the scope (of every scope where it is zero), after the store with the ID after, at most limit (0: all).
	// Here and in the other lists after may also be a Position; an ID whose row is gone gives ErrNotFound, a Position never does.
	Stores(ctx context.Context, sc Scope, after string, limit int) ([]EventDataStore, error)
	// UpdateStore reads, lets change edit, and writes, in one transaction; change's error ends it unchanged.
	// Leaves, here and in the other methods that take them, are entered for the store's log in the same transaction, in order.
	UpdateStore(ctx context.Context, id string, change func(*EventDataStore) error, leaves ...[]byte) (EventDataStore, error)
	// DeleteStore forgets the row, its tags, its table, its ledger and its lifted holds; its log stays. ErrHeld: a hold is not lifted.
	DeleteStore(ctx context.Context, id string, leaves ...[]byte) error
	// RetireStore is DeleteStore, and DeletedTables lists the store from then on.
	RetireStore(ctx context.Context, id string, leaves ...[]byte) error

	CreateChannel(ctx context.Context, c Channel) error
	Channel(ctx context.Context, id string) (Channel, error)
	Channels(ctx context.Context, sc Scope, after string, limit int) ([]Channel, error)
	UpdateChannel(ctx context.Context, id string, change func(*Channel) error) (Channel, error)
	DeleteChannel(ctx context.Context, id string) error

	CreateImport(ctx context.Context, i Import) error
	Import(ctx context.Context, id string) (Import, error)
	// Imports lists newest first, after the import with the ID after; storeID and status narrow where not "".
	Imports(ctx context.Context, sc Scope, storeID, status, after string, limit int) ([]Import, error)
	UpdateImport(ctx context.Context, id string, change func(*Import) error) (Import, error)
	AddFailures(ctx context.Context, f []Failure) error // Seq is given here
	Failures(ctx context.Context, importID string, afterSeq int64, limit int) ([]Failure, error)

	// ImportedObjects tells which of the fingerprints the ledger of target (a store's ID, or "live:" and scope) has.
	ImportedObjects(ctx context.Context, target string, fingerprints []string) (map[string]bool, error)
	// RecordObjects enters objects that are wholly in the durable log, and updates their import, in one transaction.
	RecordObjects(ctx context.Context, target string, fingerprints []string, importID string, change func(*Import) error) error

	CreateQuery(ctx context.Context, q Query) error
	Query(ctx context.Context, id string) (Query, error)
	// Queries lists newest first; storeID, status, from and to narrow where not zero.
	Queries(ctx context.Context, sc Scope, storeID, status string, from, to time.Time, after string, limit int) ([]Query, error)
	UpdateQuery(ctx context.Context, id string, change func(*Query) error) (Query, error)
	// LastQuery is the scope's newest query of a template.
	LastQuery(ctx context.Context, sc Scope, alias string) (Query, error)
	// PendingDeliveries gives the finished queries whose results are still to be delivered, of every scope, those that ended first before the others, at most limit.
	PendingDeliveries(ctx context.Context, limit int) ([]Query, error)
	// ExpiredQueries gives those created before t, and forgets them.
	ExpiredQueries(ctx context.Context, t time.Time) ([]Query, error)

	SetTags(ctx context.Context, arn string, tags map[string]string, most int) error // ErrConflict: more than most
	RemoveTags(ctx context.Context, arn string, keys []string) error
	Tags(ctx context.Context, arns []string) (map[string]map[string]string, error)

	Table(ctx context.Context, storeID string) (Table, error)
	Tables(ctx context.Context) ([]Table, error)
	CreateTable(ctx context.Context, t Table, leaves ...[]byte) error
	// SwapTable points the table to location if it still points to old, and raises Applied to applied if that is greater; else ErrConflict.
	SwapTable(ctx context.Context, storeID, old, location string, applied int64, leaves ...[]byte) error

	// RemoveFromTable is SwapTable for a change that takes events away, where r.Allow lets it; it notes what went, in the same transaction.
	RemoveFromTable(ctx context.Context, storeID, old, location string, applied int64, r Removal, leaves ...[]byte) error
	// RemovedFiles gives the files of a store's table that wait to be deleted, those first that were removed first.
	RemovedFiles(ctx context.Context, storeID string) ([]RemovedFile, error)
	ForgetRemovedFiles(ctx context.Context, storeID string, keys []string) error // they are deleted
	// RemovedDays gives the days of a store whose events were ever removed, each with the index of the last such removal's leaf in the store's log.
	RemovedDays(ctx context.Context, storeID string) (map[int32]int64, error)
	// DeletedTables gives the retired stores whose table's files are still to be deleted.
	DeletedTables(ctx context.Context) ([]string, error)
	ForgetDeletedTable(ctx context.Context, storeID string) error

	CreateHold(ctx context.Context, h Hold, leaves ...[]byte) error // ErrNotFound: the store
	Hold(ctx context.Context, id string) (Hold, error)
	Holds(ctx context.Context, storeID string) ([]Hold, error) // lifted ones too, the oldest first
	UpdateHold(ctx context.Context, id string, change func(*Hold) error, leaves ...[]byte) (Hold, error)

	// Leaves gives the first leaves of a store that wait for its log, at most limit, in order.
	Leaves(ctx context.Context, storeID string, limit int) ([]Leaf, error)
	// PendingLogs lists the stores whose leaves wait.
	PendingLogs(ctx context.Context) ([]string, error)
	// PublishedLeaves forgets a store's leaves with serials below size: a published checkpoint covers them.
	PublishedLeaves(ctx context.Context, storeID string, size int64) error
	// LogSize is the number of leaves that a store ever had, those that wait among them; 0 where there never was such a store.
	LogSize(ctx context.Context, storeID string) (int64, error)
	// Standing gives all that is known of one store, of one moment; of the leaves that wait, at most so many.
	Standing(ctx context.Context, storeID string, leaves int) (Standing, error)

	Value(ctx context.Context, key string) (string, error) // small settings that must survive: server identity, epoch
	SetValue(ctx context.Context, key, value string) error

	// Recover makes the metadata say of stores what was found of them elsewhere. ErrExists: two of them have one name.
	Recover(ctx context.Context, all []Recovered) error

	// Commits is how many transactions that write were committed since DB was opened.
	Commits() int64
	// CopyTo writes all of it as it is now, consistent, to a new SQLite file. Others read and write meanwhile. The file is not synced.
	CopyTo(ctx context.Context, path string) error

	Close() error
}
