package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/terminal"
)

type queryCmd struct {
	SQL       string   `arg:"" optional:"" name:"sql" help:"A SELECT; - reads it from standard input. FROM names an event data store by its name, ID or ARN."`
	Alias     string   `help:"Run the sample query of this name instead; loch queries lists them." placeholder:"NAME"`
	Parameter []string `short:"p" sep:"none" help:"Value of the next ? or '?' of the statement or sample query; once for each of them." placeholder:"VALUE"`
	Logs      string   `help:"Load this folder of logs, or one file, into a lake that goes when the command ends, and ask that: FROM logs. Needs no server." placeholder:"DIR" type:"path"`
	Format    string   `help:"table, csv, json or jsonl." enum:"table,csv,json,jsonl" default:"table"`
	JSON      bool     `help:"The same as --format json."`
	Stats     bool     `help:"Also print what the query read, on standard error."`
	remote
}

// Validate refuses what is no question, or two of them.
func (q *queryCmd) Validate() error {
	switch {
	case q.SQL != "" && q.Alias != "":
		return errors.New("a statement and --alias are two questions: give one of them")
	case q.SQL == "" && q.Alias == "":
		return errors.New("a statement is wanted, or the name of a sample query in --alias")
	}
	return nil
}

// Run asks, and prints the rows as they come.
func (q *queryCmd) Run(ctx context.Context) error {
	sql := q.SQL
	if sql == "-" {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return err
		}
		sql = string(b)
	}
	if q.JSON {
		q.Format = "json"
	}
	sql = strings.TrimSpace(sql)
	if sql == "" && q.Alias == "" {
		return errors.New("the statement is empty")
	}
	what := model.StartQueryRequest{QueryParameters: q.Parameter}
	if q.Alias != "" {
		what.QueryAlias = &q.Alias
	} else {
		what.QueryStatement = &sql
	}
	if q.Logs != "" {
		return q.overLogs(ctx, what)
	}
	c, err := q.client(ctx)
	if err != nil {
		return err
	}
	state, err := printQuery(ctx, c, what, q.Format, os.Stdout)
	if err == nil && q.Stats {
		printStats(state)
	}
	return err
}

func printStats(s client.State) {
	fmt.Fprintf(os.Stderr, "%s events scanned, %s matched, %s read, %d ms\n", terminal.Count(s.Scanned), terminal.Count(s.Matched), terminal.Bytes(s.Bytes), s.Millis)
}

// printQuery runs a statement and writes its rows to w as they are paged in.
func printQuery(ctx context.Context, c *client.Client, what model.StartQueryRequest, format string, w io.Writer) (client.State, error) {
	bar := terminal.NewProgress(os.Stderr, "query")
	ended := false
	end := func() {
		if !ended {
			ended = true
			bar.Close()
		}
	}
	defer end()
	var rows terminal.Rows
	var cells []terminal.Cell
	state, err := c.Query(ctx, what, func(s client.State) {
		bar.Set(terminal.State{Events: s.Scanned, Bytes: s.Bytes})
	}, func(names []string) (err error) {
		end()
		rows, err = terminal.NewRows(w, format, names)
		return err
	}, func(row []client.Cell) error {
		cells = cells[:0]
		for _, c := range row {
			cells = append(cells, terminal.Cell(c))
		}
		return rows.Row(cells)
	})
	end()
	if err != nil {
		return state, err
	}
	if rows == nil { // an answer without rows has no columns on the wire either
		if rows, err = terminal.NewRows(w, format, nil); err != nil {
			return state, err
		}
	}
	return state, rows.Close()
}
