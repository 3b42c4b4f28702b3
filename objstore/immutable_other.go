//go:build !linux

package objstore

import "errors"

// Elsewhere files are read-only and no more.

func immutable(string) (bool, error) { return false, nil }

func setImmutable(string, bool) error {
	return errors.New("this system has no such flag")
}
