package product

import (
	"embed"
	"fmt"
)

//go:embed */*.txtar
var recordings embed.FS

// Recorded returns recorded answers of a product: the archive name.txtar in a
// maker's folder, for package recorded to play.
func Recorded(maker, name string) ([]byte, error) {
	b, err := recordings.ReadFile(maker + "/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("read recorded answers: %w", err)
	}
	return b, nil
}
