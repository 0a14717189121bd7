/// A sorted sequence that is read page by page: one page at a time is in memory.
struct SortedPages<Element> {
    private let key: (Element) -> [UInt8]
    private let fetch: (_ after: Element?) throws(JobFailure) -> [Element]
    private let pageSize: Int
    private var page: ArraySlice<Element> = []
    private var last: Element?
    private var isAtEnd = false

    /// `fetch` returns the next elements behind `after`, fewer than `pageSize` at the end.
    init(
        pageSize: Int, key: @escaping (Element) -> [UInt8],
        fetch: @escaping (_ after: Element?) throws(JobFailure) -> [Element]
    ) {
        self.pageSize = pageSize
        self.key = key
        self.fetch = fetch
    }

    /// Returns the next element without taking it; nil at the end.
    mutating func peek() throws(JobFailure) -> Element? {
        if page.isEmpty, !isAtEnd {
            page = try fetch(last)[...]
            last = page.last ?? last
            isAtEnd = page.count < pageSize
        }
        return page.first
    }

    mutating func take() { page.removeFirst() }

    /// What stands side by side in two sequences.
    enum Pair<Other> {
        case both(Element, Other)
        case left(Element)
        case right(Other)
    }

    /// Takes the smallest key of both sequences.
    static func next<Other>(
        _ left: inout SortedPages, _ right: inout SortedPages<Other>
    ) throws(JobFailure) -> Pair<Other>? {
        // The left side first: what appears in both meanwhile is then seen on the right.
        let one = try left.peek()
        let other = try right.peek()
        guard let one else {
            guard let other else { return nil }
            right.take()
            return .right(other)
        }
        guard let other else {
            left.take()
            return .left(one)
        }
        let oneKey = left.key(one)
        let otherKey = right.key(other)
        if oneKey == otherKey {
            left.take()
            right.take()
            return .both(one, other)
        }
        if oneKey.lexicographicallyPrecedes(otherKey) {
            left.take()
            return .left(one)
        }
        right.take()
        return .right(other)
    }
}
