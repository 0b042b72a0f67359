"""What schemathesis must not ask: for answers that go on until somebody hangs up."""

import schemathesis


@schemathesis.hook
def filter_query(context, query):
    query = query or {}
    return not any(str(query.get(name, "")).lower() == "true" for name in ("watch", "follow"))


@schemathesis.hook
def map_query(context, query):
    if query and "waitMs" in query and str(query["waitMs"]).isdigit():
        query["waitMs"] = min(int(query["waitMs"]), 10)
    return query
