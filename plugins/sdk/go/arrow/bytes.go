package arrow

import "unsafe"

// Everything here is little-endian, as WebAssembly is.

func le16(b []byte) uint16 { _ = b[1]; return uint16(b[0]) | uint16(b[1])<<8 }

func le32(b []byte) uint32 { _ = b[3]; return *(*uint32)(unsafe.Pointer(&b[0])) }

func le64(b []byte) uint64 { _ = b[7]; return *(*uint64)(unsafe.Pointer(&b[0])) }

func set64(b []byte, word uint64) { _ = b[7]; *(*uint64)(unsafe.Pointer(&b[0])) = word }

// aligned is the same bytes at an address that is a multiple of 8.
func aligned(data []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))&7 == 0 {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	moved := bytesOf(words)[:len(data)]
	copy(moved, data)
	return moved
}
