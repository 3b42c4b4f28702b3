package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lochlake/loch/samples"
	"github.com/lochlake/loch/terminal"
)

type queriesCmd struct {
	Phrase []string `arg:"" optional:"" name:"phrase" help:"What is sought, in plain words; or the name of a query, which is then shown whole. Without it all are listed."`
	Format string   `help:"table, csv, json or jsonl." enum:"table,csv,json,jsonl" default:"table"`
	JSON   bool     `help:"The same as --format json."`
}

// Run lists the library; no server is needed.
func (q *queriesCmd) Run() error {
	if q.JSON {
		q.Format = "json"
	}
	phrase := strings.Join(q.Phrase, " ")
	all := samples.All()
	list := all
	if phrase != "" {
		list = nil
		for _, m := range samples.Search(phrase) {
			list = append(list, *m.Query)
		}
	}
	if at := slices.IndexFunc(all, func(s samples.Query) bool { return s.Name == phrase }); at >= 0 {
		list = all[at : at+1]
		if s := list[0]; q.Format == "table" {
			fmt.Printf("%s\n\n%s\n\nloch query --alias %s", s.Text(), s.SQL, s.Name)
			for _, p := range s.Parameters {
				fmt.Printf(" --parameter %s", strings.ToUpper(strings.ReplaceAll(p, " ", "-")))
			}
			fmt.Println()
			return nil
		}
	}
	names := []string{"name", "description", "parameters"}
	if q.Format != "table" {
		names = append(names, "sql")
	}
	rows, err := terminal.NewRows(os.Stdout, q.Format, names)
	if err != nil {
		return err
	}
	for _, s := range list {
		cells := []terminal.Cell{{Text: s.Name}, {Text: s.Description}, {Text: strings.Join(s.Parameters, ", ")}, {Text: s.SQL}}
		if err := rows.Row(cells[:len(names)]); err != nil {
			return err
		}
	}
	return rows.Close()
}
