import Synchronization

/// A place for one value that another thread fills.
final class OutputSlot<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}
