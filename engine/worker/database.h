// What the workers of the engine have of DuckDB before Go's part begins.

#define LOCH_WORKER "engine-worker"   // see Argument
#define LOCH_NURSERY "engine-nursery" // see NurseryArgument

// The database that a nursery opened, NULL in a worker that no nursery forked.
extern void *loch_nursery_database;

// loch_database_open opens a database in memory, with one thread as yet and settings that hold for every connection. It gives NULL, or what failed.
const char *loch_database_open(void **database);

// loch_database_warm runs a statement, so that what every statement needs is there: the parser, the time zones, code pages of a scan and a sort.
const char *loch_database_warm(void *database);
