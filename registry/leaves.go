package registry

import (
	"bytes"
	"fmt"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// SettingsOf is what a store's log says of it.
func SettingsOf(s *meta.EventDataStore) proof.Settings {
	out := proof.Settings{Name: s.Name, Account: s.Account, Region: s.Region, Kind: event.Kind(s.Kind).String(), Status: s.Status, MultiRegion: s.MultiRegion, Organization: s.Organization,
		RetentionDays: s.RetentionDays, Protected: s.TerminationProtection, Selectors: s.Selectors}
	if !s.DeleteAfter.IsZero() {
		out.DeleteAfter = proof.Time(s.DeleteAfter)
	}
	if !s.RemoveAfter.IsZero() {
		out.RemoveAfter = proof.Time(s.RemoveAfter)
	}
	return out
}

// leafOf tells the store's log of a change (before: nil where the store is new), or gives nothing where the change is of what the log does not tell.
func leafOf(before, after *meta.EventDataStore, at time.Time) ([][]byte, error) {
	change := "created"
	if before != nil {
		switch was, is := before.Status, after.Status; {
		case was != is && is == PendingDeletion:
			change = "deleted"
		case was != is && was == PendingDeletion:
			change = "restored"
		case was != is && is == Stopped:
			change = "ingestion-stopped"
		case was != is:
			change = "ingestion-started"
		default:
			a, b := SettingsOf(before), SettingsOf(after)
			same := bytes.Equal(a.Selectors, b.Selectors)
			a.Selectors, b.Selectors = nil, nil
			if same && fmt.Sprint(a) == fmt.Sprint(b) {
				return nil, nil
			}
			change = "updated"
		}
	}
	b, err := proof.Leaf{Store: &proof.Store{Change: change, At: proof.Time(at), Settings: SettingsOf(after)}}.Encode()
	if err != nil {
		return nil, fmt.Errorf("event data store %s: %w", after.ID, err)
	}
	return [][]byte{b}, nil
}

// removalOf tells the log of a store that its seven days are over and its events are gone.
func removalOf(s *meta.EventDataStore, at time.Time) ([]byte, error) {
	return proof.Leaf{Removal: &proof.Removal{Rule: "deletion", Due: proof.Time(s.DeleteAfter), At: proof.Time(at)}}.Encode()
}
