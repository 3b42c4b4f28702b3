package model

import "strings"

// The prefixes of X-Amz-Target: the service model's, and the longer one that some SDKs send.
const (
	targetPrefix = "CloudTrail_20131101."
	targetLong   = "com.amazonaws.cloudtrail.v20131101." + targetPrefix
)

// ParseTarget gives the operation that an X-Amz-Target header names, in its short or its long form. Whether the model has it is Lookup's to say.
func ParseTarget(target string) (operation string, ok bool) {
	name, ok := strings.CutPrefix(target, targetLong)
	if !ok {
		name, ok = strings.CutPrefix(target, targetPrefix)
	}
	return name, ok && name != ""
}
