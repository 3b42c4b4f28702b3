// Package selector holds advanced event selectors: AWS's rules for writing them, and which events they let through.
package selector
