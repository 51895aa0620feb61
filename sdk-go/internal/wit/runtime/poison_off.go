//go:build !numaxpoison

package runtime

// poison overwrites memory that is given back, so that a value which was not copied shows. Built with the tag
// numaxpoison, for tests.
const poison = false
