package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == confinedArgument {
		beConfined()
	}
	os.Exit(m.Run())
}

// confinedArgument makes the test binary confine itself as a child does, without DuckDB and its own settings, and try to get out.
const confinedArgument = "engine-test-confined"

func beConfined() {
	dir := os.Args[2]
	planned, temp := filepath.Join(dir, "planned"), filepath.Join(dir, "temp")
	runtime.LockOSThread()
	report := confine(&Job{Paths: []string{planned}, Temp: temp, Memory: 1 << 30, TempMax: 1 << 20})
	if report.Landlock == 0 {
		fmt.Println("no Landlock")
		os.Exit(0)
	}
	tell := func(what string, err error, want bool) {
		if (err == nil) != want {
			fmt.Println(what, err)
		}
	}
	tell("confine", errors.New(report.Problem), report.Problem != "")
	_, err := os.ReadFile(planned)
	tell("read a planned file", err, true)
	tell("write in its own directory", os.WriteFile(filepath.Join(temp, "x"), []byte("x"), 0o600), true)
	tell("write too much", os.WriteFile(filepath.Join(temp, "x"), make([]byte, 2<<20), 0o600), false)
	tell("write a planned file", os.WriteFile(planned, []byte("x"), 0o600), false)
	tell("remove a planned file", os.Remove(planned), false)
	_, err = os.ReadFile(filepath.Join(dir, "secret"))
	tell("read another file", err, false)
	_, err = os.ReadDir(dir)
	tell("list a directory", err, false)
	_, err = os.ReadFile("/etc/passwd")
	tell("read /etc/passwd", err, false)
	if report.Landlock >= 4 { // older ones don't know the network
		var dialer net.Dialer
		dialer.SetMultipathTCP(false)
		_, err = dialer.Dial("tcp", os.Args[3])
		tell("connect", err, false)
	}
	tell("run a program", exec.Command("/bin/true").Run(), false)
	os.Exit(0)
}

func TestKernelWallsAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"planned", "secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := exec.Command(os.Args[0], confinedArgument, dir, l.Addr().String()).CombinedOutput()
	if strings.Contains(string(out), "no Landlock") {
		t.Skip("this kernel has no Landlock")
	}
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
