/// A piece of memory for reading into, owned by one thread, freed with its owner.
@safe final class ByteBuffer {
    let bytes: UnsafeMutableRawBufferPointer

    init(sizeBytes: Int) {
        unsafe bytes = .allocate(byteCount: sizeBytes, alignment: 16)
    }

    deinit { unsafe bytes.deallocate() }

    /// The first `count` bytes.
    func prefix(_ count: Int) -> UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: bytes[..<count]) }
}
