package trinotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Catalog is a catalog of a started Trino.
type Catalog struct {
	Name       string
	Plugin     string   // Maven's name of the plug-in that has the connector, without "trino-": iceberg
	Properties []string // name=value, connector.name among them
}

// InstallPlugin gives the directory of an unpacked plug-in below dir, and fetches it as Install does (iceberg: 346 MB).
func InstallPlugin(ctx context.Context, dir, name string, download bool) (string, error) {
	full := "trino-" + name + "-" + Version
	home := filepath.Join(dir, full)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	if !download {
		return "", unavailable("%s does not exist, and may not be fetched", home)
	}
	for _, tool := range []string{"mvn", "unzip"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", unavailable("%s is missing: %w", tool, err)
		}
	}
	artifact := "io.trino:trino-" + name + ":" + Version + ":zip"
	for _, args := range [][]string{{"dependency:get", "-Dartifact=" + artifact, "-Dtransitive=false"}, {"dependency:copy", "-Dartifact=" + artifact, "-DoutputDirectory=" + dir}} {
		if out, err := exec.CommandContext(ctx, "mvn", append([]string{"-q", "-B"}, args...)...).CombinedOutput(); err != nil {
			return "", unavailable("mvn %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	archive := filepath.Join(dir, full+".zip")
	// Unpacked aside and named when whole, so that a run that was cut leaves nothing that looks ready. The archive holds one folder of that name.
	aside, err := os.MkdirTemp(dir, ".plugin-")
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "unzip", "-q", archive, "-d", aside).CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("unpack %s: %w: %s", archive, err, out), os.RemoveAll(aside))
	}
	return home, errors.Join(os.Rename(filepath.Join(aside, full), home), os.RemoveAll(aside), os.Remove(archive))
}

// connect gives a node that is not started yet its plug-ins, and a file for each catalog.
func (n *node) connect(plugins map[string]string, catalogs []Catalog) error {
	for name, home := range plugins {
		if err := os.Symlink(home, filepath.Join(n.dir, "plugin", name)); err != nil {
			return err
		}
	}
	for _, c := range catalogs {
		// They may hold secrets.
		if err := os.WriteFile(filepath.Join(n.dir, "etc", "catalog", c.Name+".properties"), []byte(strings.Join(c.Properties, "\n")+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
