"""What the Redis backends share: connections, batches, scripts. Nothing here is public.

```
replay/redis, keys/stores/redis     what an answer means
        │
rings · news · checks               key rings as hashes · changes of them as they appear · fitness of servers
        │
     client                         scripts that are taught, replicas that are waited for
        │
      link · connections            one set per event loop; follows a moved slot or a new master
        │
coalescer · batch · calls           concurrent calls share one write, one connection
  watch · scripts                   one deadline each · one timer for all · scripts as calls
        │
 pool · wire · subscription         a few connections · one of them · one that listens
   inbox · blocking                 what comes on one, as replies · one that may be long in answering
        │
topology · sources · urls           where the servers are · by a client or a URL
        │
settings · protocol · errors        how to connect · bytes · what can go wrong
```

Only the transport of redis-py is used (addresses, TLS, authentication, Sentinel's answers), never its commands, pools
or retries: a retry that the caller does not know of makes every answer doubtful.
"""
