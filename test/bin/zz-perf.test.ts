import { test } from 'vitest';
import { parsePlan } from '/work/main/bin/plan-file.ts';
import * as g from '/work/main/machines/graph.ts';
const time=(n:string,f:()=>unknown)=>{const t=performance.now();let r:any;try{r=f()}catch(e:any){r=e.message.slice(0,150)}console.log(n,Math.round(performance.now()-t),typeof r==='string'?r:'')};
test('perf',()=>{
 const big='name: n\nsteps:\n'+Array.from({length:18000},(_,i)=>`  - {id: s${i}, run: "echo ${i}", after: [${i?'s'+(i-1):''}], env: {N: 1}}`).join('\n');
 console.log(big.length); time('big',()=>parsePlan(big,'p.yaml'));
 time('bad',()=>parsePlan(big.replaceAll('run:','rnu:').replaceAll('[s','[t'),'p.yaml'));
 time('keys',()=>parsePlan('name: n\n'+Array.from({length:100000},(_,i)=>`a${i}: 1`).join('\n'),'p.yaml'));
 time('alias',()=>parsePlan('name: n\nsteps: ['+Array.from({length:30000},(_,i)=>`&a${i} x, *a${i}`).join(',')+']','p.yaml'));
 time('deepflow',()=>parsePlan('['.repeat(1e6),'p.yaml'));
 time('deepblock',()=>parsePlan('- '.repeat(3e5),'p.yaml'));
 const N=100000; const nodes=Array.from({length:N},(_,i)=>({id:'s'+i,estimateMs:i%13,after:i?['s'+Math.floor(i/2),'s'+(i-1-(i%7)%i)].filter(x=>x!=='s'+i&&x!=='s-1'):[]}));
 time('mk8',()=>g.makespan(nodes,8)); time('check',()=>g.checkGraph(nodes));
 time('unk',()=>g.checkGraph(nodes.map(n=>({...n,after:['q'+n.id]}))));
},60000);
