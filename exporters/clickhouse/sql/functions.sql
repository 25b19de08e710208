WITH
    -- a histogram of collector.sketch as (bucket, calls), in order
    histogram -> arraySort(pair -> pair.1, arrayFilter(pair -> pair.2 > 0,
        arrayZip(mapKeys(histogram), mapValues(histogram)))) AS buckets_of,
    -- the middle of a bucket
    bucket -> if(bucket = {zero}, 0., 2 * pow({gamma}, bucket) / (1 + {gamma})) AS seconds_of,
    -- the duration of the call at a place (from 0) in the order of durations
    (buckets, running, place) -> seconds_of(buckets[arrayFirstIndex(calls_so_far -> calls_so_far > place, running)].1) AS at,
    -- between two calls, in proportion, as numpy.percentile does
    (buckets, running, place) -> at(buckets, running, floor(place))
        + (place - floor(place)) * (at(buckets, running, ceil(place)) - at(buckets, running, floor(place))) AS between,
    (buckets, q) -> if(empty(buckets), NULL,
        between(buckets, arrayCumSum(buckets.2), q * (arraySum(buckets.2) - 1))) AS percentile
