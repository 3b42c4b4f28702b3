package protocol

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// maxHead bounds a frame's head in bytes.
const maxHead = 64 << 10

// AppendFrame appends an object, or a piece of one, to the body of a request: four bytes of the head's length (big-endian), the head as JSON, the
// bytes. The head's Size is set here.
func AppendFrame(body []byte, h Head, data []byte) ([]byte, error) {
	h.Size = int64(len(data))
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(head) > maxHead {
		return nil, fmt.Errorf("the name of %d bytes is too long", len(h.Name))
	}
	body = binary.BigEndian.AppendUint32(body, uint32(len(head)))
	body = append(body, head...)
	return append(body, data...), nil
}

// Frames splits a request's body and calls fn for every frame in order; data shares the body's memory.
func Frames(body []byte, fn func(h Head, data []byte) error) error {
	for at := 0; at < len(body); {
		if len(body)-at < 4 {
			return fmt.Errorf("frame at byte %d: %w", at, io.ErrUnexpectedEOF)
		}
		n := binary.BigEndian.Uint32(body[at:])
		if n > maxHead || int(n) > len(body)-at-4 {
			return fmt.Errorf("frame at byte %d: its head of %d bytes does not fit", at, n)
		}
		var h Head
		if err := json.Unmarshal(body[at+4:at+4+int(n)], &h); err != nil {
			return fmt.Errorf("frame at byte %d: head: %w", at, err)
		}
		start := at + 4 + int(n)
		if h.Size < 0 || h.Size > int64(len(body)-start) {
			return fmt.Errorf("frame at byte %d: %d bytes were announced, %d are there", at, h.Size, len(body)-start)
		}
		end := start + int(h.Size)
		if err := fn(h, body[start:end:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}
