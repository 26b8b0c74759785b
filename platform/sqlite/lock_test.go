package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ofdLocked reports whether the kernel lists a lock of an open file description
// on the file.
func ofdLocked(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	inode := fmt.Sprintf(":%d ", info.Sys().(*syscall.Stat_t).Ino)
	f, err := os.Open("/proc/locks")
	if err != nil {
		return false, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), "OFDLCK") && strings.Contains(lines.Text(), inode) {
			return true, nil
		}
	}
	return false, nil
}
