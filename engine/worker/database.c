#include "database.h"

#include <stddef.h>
#include <stdio.h>

void *loch_nursery_database;

// DuckDB's C interface, as far as it is needed here; its headers are inside the Go module that links it.
typedef void *duckdb_config;
typedef void *duckdb_connection;
int duckdb_create_config(duckdb_config *out);
int duckdb_set_config(duckdb_config config, const char *name, const char *option);
void duckdb_destroy_config(duckdb_config *config);
int duckdb_open_ext(const char *path, void **out, duckdb_config config, char **error);
int duckdb_connect(void *database, duckdb_connection *out);
void duckdb_disconnect(duckdb_connection *connection);
int duckdb_query(duckdb_connection connection, const char *query, void *result);

static const char *const options[][2] = {
    {"threads", "1"},
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
    {"allow_community_extensions", "false"},
    {"allow_unsigned_extensions", "false"},
    {"allow_persistent_secrets", "false"},
};

static const char *const statements[] = {
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL Calendar = 'gregorian'",
    "SET GLOBAL enable_external_file_cache = false", // one statement reads a file once
    NULL,
};

const char *loch_database_open(void **database) {
	duckdb_config config;
	if (duckdb_create_config(&config) != 0) return "DuckDB gave no configuration";
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (duckdb_set_config(config, options[i][0], options[i][1]) != 0) return options[i][0];
	char *problem = NULL;
	if (duckdb_open_ext(":memory:", database, config, &problem) != 0) return problem == NULL ? "open DuckDB" : problem;
	duckdb_destroy_config(&config);
	duckdb_connection c;
	if (duckdb_connect(*database, &c) != 0) return "DuckDB gave no connection";
	const char *failed = NULL;
	for (const char *const *s = statements; *s != NULL && failed == NULL; s++)
		if (duckdb_query(c, *s, NULL) != 0) failed = *s;
	duckdb_disconnect(&c);
	return failed;
}

const char *loch_database_warm(void *database) {
	static const char *const s = "SELECT count(*), max(upper(i::VARCHAR)) FROM range(3) t(i) WHERE i > 1 GROUP BY i % 2 ORDER BY 1 LIMIT 1";
	duckdb_connection c;
	if (duckdb_connect(database, &c) != 0) return "DuckDB gave no connection";
	int state = duckdb_query(c, s, NULL);
	duckdb_disconnect(&c);
	return state == 0 ? NULL : s;
}
