package network

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func TestDump(t *testing.T) {
	torn := fmt.Errorf("reading: %w", netlink.ErrDumpInterrupted)
	refused := errors.New("refused")
	for _, tt := range []struct {
		name  string
		errs  []error // of the first questions
		want  []int
		wants error
	}{
		{"at once", nil, []int{1}, nil},
		{"torn twice", []error{torn, torn}, []int{3}, nil},
		{"always torn", []error{torn, torn, torn, torn, torn, torn}, []int{5}, nil},
		{"refused", []error{refused}, []int{1}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			queries := 0
			got, err := dump(func() ([]int, error) {
				queries++
				if queries <= len(tt.errs) {
					return []int{queries}, tt.errs[queries-1]
				}
				return []int{queries}, nil
			})
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.wants) {
				t.Errorf("err %v, want %v (-want +got):\n%s", err, tt.wants, diff)
			}
		})
	}
}
