//go:build numaxpoison

package runtime

const poison = true
