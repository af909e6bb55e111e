package broker

import (
	"strings"
	"sync"
)

// Bounds of what waits for one subscriber. Beyond them new messages are
// dropped: blocking instead would stop the whole session.
const (
	queueMessages = 1 << 16
	queueBytes    = 64 << 20
)

// queue hands messages to one subscriber, in order, one at a time. Its
// goroutine lives only while something waits.
type queue struct {
	fn func(Message)

	mu      sync.Mutex
	waiting []item
	bytes   int
	running bool
	closed  bool
}

type item struct {
	msg     Message
	barrier func() // in place of a message
}

// push appends a message and reports whether there was room.
func (q *queue) push(m Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if len(q.waiting) >= queueMessages || q.bytes+len(m.Payload) > queueBytes {
		return false
	}
	q.bytes += len(m.Payload)
	q.add(item{msg: m})
	return true
}

// after calls f when everything pushed before has been handled.
func (q *queue) after(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		f()
		return
	}
	q.add(item{barrier: f})
}

func (q *queue) add(i item) {
	q.waiting = append(q.waiting, i)
	if !q.running {
		q.running = true
		go q.drain()
	}
}

// close drops what waits. A call of fn in progress may still finish.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) drain() {
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting, q.bytes = nil, 0
		if len(batch) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		for _, i := range batch {
			switch {
			case i.barrier != nil:
				i.barrier()
			case !q.isClosed():
				q.fn(i.msg)
			}
		}
	}
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// matches reports whether a topic matches a filter (MQTT 3.1.1 section 4.7).
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, restF, moreF := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, restT, moreT := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !moreF || !moreT {
			// "a/#" matches "a" too.
			return moreF == moreT || (moreF && restF == "#")
		}
		filter, topic = restF, restT
	}
}
