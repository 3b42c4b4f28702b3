// Package trinotest gives tests a real Trino: it fetches the server from Maven Central, starts one node on loopback, runs statements over Trino's client
// protocol and gives the answers in the text forms in which Loch gives its own.
package trinotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
)

// Version is the Trino that answers are compared with: the newest whose server Maven Central has ready-made.
const Version = "476"

// minJava is the oldest Java that this Trino runs on ("Deploying Trino" in its documentation: Java 24).
const minJava = 24

// ErrUnavailable is why there is no Trino on this machine; a test that gets it skips.
var ErrUnavailable = errors.New("no Trino here")

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, fmt.Errorf(format, args...))
}

// Install gives the directory of an unpacked server below dir. Where there is none it fetches one with Maven if download allows (194 MB, once into
// Maven's own cache), else the error is ErrUnavailable.
func Install(ctx context.Context, dir string, download bool) (string, error) {
	home := filepath.Join(dir, "trino-server-core-"+Version)
	ready := filepath.Join(home, ".unpacked")
	if _, err := os.Stat(ready); err == nil {
		return home, nil
	}
	if !download {
		return "", unavailable("%s does not exist; make differential fetches it", home)
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", unavailable("Maven is missing: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	artifact := "io.trino:trino-server-core:" + Version + ":tar.gz"
	if out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:get", "-Dartifact="+artifact, "-Dtransitive=false").CombinedOutput(); err != nil {
		return "", unavailable("mvn dependency:get %s: %w: %s", artifact, err, out)
	}
	if out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory="+dir).CombinedOutput(); err != nil {
		return "", unavailable("mvn dependency:copy %s: %w: %s", artifact, err, out)
	}
	archive := filepath.Join(dir, "trino-server-core-"+Version+".tar.gz")
	if err := os.RemoveAll(home); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xzf", archive, "-C", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", archive, err, out)
	}
	return home, errors.Join(os.Remove(archive), os.WriteFile(ready, nil, 0o644))
}

var javaVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// findJava gives a java that is new enough: that of TRINO_JAVA_HOME or JAVA_HOME, or one of those that the machine keeps where its system keeps them.
func findJava() (string, error) {
	homes := []string{os.Getenv("TRINO_JAVA_HOME"), os.Getenv("JAVA_HOME")}
	patterns := []string{"/usr/lib/jvm/*", "/opt/*jdk*"}
	if runtime.GOOS == "darwin" {
		patterns = []string{"/Library/Java/JavaVirtualMachines/*/Contents/Home"}
	}
	for _, p := range patterns {
		found, err := filepath.Glob(p)
		if err != nil {
			return "", err
		}
		homes = append(homes, found...)
	}
	for _, home := range homes {
		release, err := os.ReadFile(filepath.Join(home, "release"))
		if home == "" || err != nil {
			continue // no JDK
		}
		java := filepath.Join(home, "bin", "java")
		if m := javaVersion.FindSubmatch(release); m != nil {
			if v, err := strconv.Atoi(string(m[1])); err == nil && v >= minJava {
				if _, err := os.Stat(java); err == nil {
					return java, nil
				}
			}
		}
	}
	return "", unavailable("Trino %s needs Java %d or later, which is neither TRINO_JAVA_HOME nor JAVA_HOME nor where the system keeps its JDKs", Version, minJava)
}
