"""Reads N streams at once from an OpenAI-compatible server: streams.py URL STREAMS TOKENS [ROUNDS]; needs the package openai."""
import asyncio, sys, time, statistics
from openai import AsyncOpenAI
async def one(c, model, i, n):
    t=time.perf_counter(); first=None; k=0; text=""
    s=await c.chat.completions.create(model=model, stream=True, max_tokens=n, temperature=0.7, seed=i, stream_options={"include_usage":True},
        messages=[{"role":"user","content":f"Tell me about the history of bread, part {i}, in detail."}])
    usage=None
    async for e in s:
        if e.usage: usage=e.usage
        if e.choices and e.choices[0].delta.content:
            if first is None: first=time.perf_counter()-t
            k+=1; text+=e.choices[0].delta.content
    return first, time.perf_counter()-t, usage.completion_tokens, text
async def main():
    c=AsyncOpenAI(base_url=sys.argv[1], api_key="x", max_retries=0)
    n=int(sys.argv[2]); tok=int(sys.argv[3])
    for rep in range(int(sys.argv[4]) if len(sys.argv)>4 else 1):
        t=time.perf_counter()
        r=await asyncio.gather(*[one(c,"uno",i,tok) for i in range(n)])
        wall=time.perf_counter()-t
        toks=sum(x[2] for x in r)
        f=sorted(x[0] for x in r)
        print(f"{n} streams: first token median {statistics.median(f)*1000:.0f} ms, max {f[-1]*1000:.0f} ms; {toks} tokens in {wall:.1f} s = {toks/wall:.1f} tok/s")
    print(repr(r[0][3][:200]))
asyncio.run(main())
