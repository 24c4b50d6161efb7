"""Short and pet forms of given names, each line one family of forms (first the full form).

A form may stand in several families ("Chris", "Sam", "Alex"): two forms agree where they share one.
The list is our own, from general knowledge of English and of the commonest European and Arabic spellings.
"""

# ruff: noqa: E501  (one family a line)

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

_FAMILIES = """
aaron ron ronnie erin arin
abigail abbie abby gail abi
abraham abe bram abram ibrahim
adam ad edie
adelaide addie adele della heidi ada
agnes aggie nessie agnessa
alan allan allen al
albert al bert bertie elbert alberto
alexander alex alec al sandy sasha xander aleksandr alejandro alessandro alistair alisdair iskander oleksandr aleksander sander
alexandra alex sandra sasha alexa lexi sandy aleksandra alejandra alexandria
alfred al alf alfie fred freddie alfredo
alice allie ally elsie lisa alicia alison allison
amanda mandy manda
amelia amy millie emily mel
anastasia ana stacy stacey nastya nastassia anastassia tasia
andrea andy drea andie
andrew andy drew andre andreas andrei andrzej anders andres andrey
angela angie angel angelina angelica
ann anna anne annie nan nancy anita anya hannah ana annette nina anka
annabelle anna belle annabel anabella annabella bella
anthony tony antony anton antonio ant toni
antoinette toni tony nettie antonia netta
archibald archie
arnold arnie
arthur art artie arturo
augustus gus august augustin augustine austin
augusta gussie tina
barbara barb barbie babs bobbie barbra bab
bartholomew bart bartel bat
beatrice bea trixie bee beatrix trix
belinda bel linda lindy
benjamin ben benny benji bennie
bernard bernie barney bern bernardo
bertha bertie birdie
beverly bev beverley
bradley brad
brandon brand bran
brenda brandy
bridget biddy bridie bridgette brigid
caleb cal
calvin cal vin vinny
cameron cam ron ronny
camilla millie cammie cami
carl charles karl carlo carlos
caroline carol carrie lynn carolyn caro lina carolina caroll
cassandra cass cassie sandra sandy
catherine cath cathy kate katie kathy katherine kathryn kitty kay kat catharine cate trina katharine catalina katarina ekaterina kathleen katrina kathie caitlin
cecilia cecily cissy celia sissy
charles charlie chuck chas chip carl charley karl chaz carlos carol charlton
charlotte lottie charlie lotta char carlotta
chester chet
christian chris kit
christina chris chrissy tina christine kristina kristine kirsten christy kris krissy kristin kristen krista christa tine
christopher chris kit topher christoph kris cristobal christof
clarence clare clair
clara clarissa clare claire klara
clifford cliff clifton ford
clinton clint
constance connie
cordelia delia cordy
cornelius con neil neal corny
curtis curt kurt
cynthia cindy cyndi
cyrus cy
daniel dan danny danilo daniil
danielle dani ellie daniela daniella danni
darlene lena darla
david dave davy davey davie dawud
dean deano
deborah deb debbie debby debra
delbert bert del
delores lola dolly della dolores
dennis denny den denis
derek derrick rick ricky
diana di diane dianne dinah
dominic dom nick domenic dominick
donald don donny donnie
dorothy dot dottie dolly dora dorothea dee thea dory
douglas doug
duncan dunk
dwight ike
earl early
ebenezer eb eben
edgar ed eddie ned eddy
edith edie ede eda
edmund ed eddie ned ted eddy edmond
edward ed eddie ned ted teddy eddy eduardo edouard edvard eduard
edwin ed eddie ned eddy win
eileen aileen lena
eleanor ellie nell nellie nora ella elinor lenora leonora eleanora ellen elena lena
elijah eli lige
elisabeth elizabeth
elizabeth liz lizzie lizzy beth betty betsy bess bessie eliza libby lisa lisbeth elsie betsie elise isabel liza ellie bette lib liddy elisa
ella ellie gabriella
ellen nell nellie helen ellie lena elena
emily em emmie emma millie emmy emilia
emma em emmie emmy
ernest ernie ernst ernesto
esther essie hettie hester
eugene gene eugenio
evangeline eva evie vangie
evelyn eve evie lynn eva evelina
faith fay
ferdinand fred ferdie freddie
florence flo flossie flora florrie
frances fran frankie fanny francie francine francesca sissy franny francis
francis frank frankie fran francisco francesco franz frans francois
franklin frank frankie franklyn
frederick fred freddie freddy fritz frederic friedrich fredrick rick federico
frederica freddie rica freda
gabriel gabe gabby
gabrielle gabby ella elle gabriella gaby
genevieve gen jenny eve viv
geoffrey geoff jeff jeffrey jeffery
george georgie geo jorge georg georgios giorgio yuri jorgen
georgia georgie george georgina georgiana
gerald gerry jerry gerard
geraldine gerry geri jerry dina
gertrude gertie trudy gert
gilbert gil bert
gregory greg gregg gregor grigory
gwendolyn gwen wendy
hannah anna nan hanna
harold harry hal hank harald
harriet hattie harriett hatty etta
harrison harry
harvey harv
heather hettie
helen ellen nell nellie lena elena helene ella elaine helena eleni
henrietta etta hettie hennie retta
henry harry hal hank henri heinrich enrique henrik enrico
herbert herb bert bertie heriberto
herman manny hermann
hilary hil
hillary hil
horace horry
howard howie ward hal
hubert bert hugh hugo bertie
hugh hughie hugo huey
ian iain john
ignatius iggy nace ignacio
ida idella
irene rena rene irina irena
isaac ike zac isaak ishaq
isabel bella belle isabella ibby isabelle izzy izabel ysabel
isidore izzy
israel izzy
jacob jake jay jack jacobus jakob jacques yakov
jacqueline jackie jacky jacquelyn jacquie jacklyn
james jim jimmy jamie jem jimmie jaime jay seamus diego hamish
jane janie janet jean jenny joan joanna jan jeanne jayne johanna
janet jan jessie jenny jannet janette
janice jan janis
jason jay jase
jasper casper
jean jeanne jeannie jane
jeffrey jeff geoff geoffrey jeffery
jennifer jen jenny jennie jenni
jeremiah jerry jerome jeremy jem
jeremy jerry jem
jerome jerry
jesse jess
jessica jess jessie
jessie jess
joan jo joanie jane joanne johanna
joanna jo joan joanne jody
john jack johnny jock jon johnnie ian hans juan jean ivan johann jan giovanni joao sean evan janos yahya hank
jonathan jon jonny nathan johnathan jonathon john johnny nat
joseph joe joey jos jo jose josef giuseppe iosif yusuf yosef josip
josephine jo josie fina posey pheny
joshua josh jos
joyce joy
juanita nita wanita
judith judy jude judie
julia julie jules jill juliet julianna giulia yulia
julian jules julie jule
julius jules julio
justin jus justus
karen kari kaye carrie karin
katherine kate kathy katie kay kitty kat kathryn kit kat katharine katya
kathleen kathy kate kath katie kay kit
keith keithy
kenneth ken kenny kent
kevin kev
kimberly kim kimmie kimberley kimberlee
kristen kris kristin kirsten kristy
lance launcelot
larry laurence lawrence
laura laurie lori lolly lauren
lauren laurie lori ren
laurence larry lawrence laurie lorenzo lars lorne
lavinia vinnie
lawrence larry laurie lars lon lorenzo lenny
leah lea lee leigh
leo leon leonardo lionel
leonard len lenny leo leon lennie
leroy roy lee
leslie les lesley
lester les
letitia lettie tish titia
levi lee
lewis lew louis louie lou luis
lillian lil lily lilly lilian liliana
linda lindy lynn lin lyn
lindsay lindsey lin
lloyd loyd
lois louise
loretta lori retta lorrie etta
lorraine lori rainie lorrie
louis lou louie lewis luis luigi ludwig lajos
louise lou lulu louisa lois
lucas luke luca lukas
lucille lucy lou lucia cille luci
lucinda cindy lucy lu
lucy lu lucia
luther lou
lydia liddy lyddie
mabel may mab
mackenzie kenzie mac
madeline maddie maddy madeleine lena madge lina magdalena
magdalena maggie lena magda magdalene
malcolm mal
marcus mark marc marco
margaret maggie meg peg peggy madge marge margie greta rita daisy megan mags marguerite margo margot maisie margarita peggie gretchen margery
marilyn mary lynn
marianne mary anne mari
maria mary marie mariah ria mari
marie mary maria mae
marion mary
marjorie marge margie marjory margery
mark marc marcus markus marco
marshall marsh
martha marty mattie patty
martin marty martyn marten martino
mary molly polly mae mamie may minnie moll maria marie maryam miriam mariam mitzi
matilda tilly mattie maud tilda
matthew matt mattie mathew matthias mateo matthieu mat thys matteo
maureen mo reenie
maurice morris morrie moe mo
maxwell max
maximilian max
megan meg meggie
melanie mel
melinda mindy mel linda lindy
melissa mel lissa missy lisa millie
melvin mel vin
mercedes sadie mercy
meredith merry
michael mike mick mickey mikey mitch miguel mikhail michel michal mikael micky micah
michelle shelly mickey shelley chelle micki
mildred millie milly
millicent millie missy milly
minerva minnie nerva
miranda randy mandy mira
miriam mimi mitzi mary
mitchell mitch mick
mohammed muhammad mohamed mohammad muhammed mhd mohd mehmet mahomet mohamad
monica mona nicki monnie monika
montgomery monty gum
morgan mo
morris maurice mo morrie moe
moses mo mose moss
nancy nan ann nance
naomi omi
natalie nat nattie natasha natalia
nathan nat nate nathaniel
nathaniel nat nate nathan than
nelson nel nels
nicholas nick nicky nico nicolas niko nikolai klaus cole claus nikolas nicola
nicole nicky nikki nic colette cole
nora norah honora
norbert bert norby
norma normie
norman norm
obadiah obie diah
olive ollie livvy nollie
oliver ollie noll
olivia liv livvy ollie nollie
oscar ossie ozzie
oswald ossie ozzy waldo
pamela pam pammy
patience pat patty
patricia pat patty tricia trish patti tish trisha patsy
patrick pat paddy ricky patsy padraig
paul paulie pablo paolo pavel
paula polly lina pauline
pauline polly lina
penelope penny pen
perry per
peter pete pedro piotr pierre petr
philip phil pip felipe phillip philippe
philippa pippa pip
phillip phil philip pip
phyllis phyl
preston pres
priscilla cilla prissy cissy
prudence prue
rachel rae ray rach shelly rachael
ralph ralphie rafe raul rolf
randall randy rand
randolph randy rolph dolph
raymond ray ramon
rebecca becky becca reba beck
regina gina reggie rena
reginald reg reggie reginaldo naldo
reuben rube ruben
richard dick rich rick ricky richie dickie ricardo ricki rickie
robert bob bobby rob robbie bert robin rupert roberto bobbie dob robby
roberta bobbie robbie bert birdie
robin rob robbie robyn
rochelle shelly
roderick rod roddy rick erick
rodney rod
roger rodge rog rodger hodge
roland rollie rolly orlando rowland lanny rolando
ronald ron ronnie ronny naldo
rosalind ros roz lindy rosa rose
rosemary rose rosie romy rosemarie mary
rose rosie rosa roz rosalie
roxanne roxie rox roxanna
rudolph rudy dolph rolf rudolf rodolfo
russell russ rusty russel
ruth ruthie
sabrina brina
salvatore sal sally salvador
samantha sam sammy mandy
samson sam sammy
samuel sam sammy samuil
sandra sandy sondra
sarah sally sadie sara sal zara sahra
saul sol
scott scotty
sebastian seb bastian
seth se
seymour see morry
shannon shan
sharon shari sherry sharron
sheila shelly
sheldon shel shelly
sherman sherm
shirley sherry lee shirl
sidney sid sydney syd
silas si
silvester sly syl vester sylvester
simon si simeon
solomon sol sal solly suleiman
sophia sophie sophy sofia zofia
spencer spence
stanley stan
stephanie steph stephie annie stevie stefanie
stephen steve steven stevie steph stefan esteban etienne stephan stefano
stuart stu stewart
susan sue susie suzie sukie suzy susannah susanne suzanne susanna
suzanne sue suzie susan
sylvia syl silvia
tabitha tabby
tamara tammy
terence terry terrance terrence
teresa terry tess tessa theresa tracy terri therese terrie tessie reese
thaddeus thad tad
theodora dora thea theo
theodore ted teddy theo fyodor
theresa terry tess tessa teresa tracy
thomas tom tommy thom tomas tommaso massey
timothy tim timmy timothee
tobias toby tobi
tracy tracey
travis trav
tristan tris
tyler ty
tyrone ty
ursula ursie sulie
valentine val
valerie val
vanessa nessa essa vanna
vera v
vernon vern
veronica ronnie vonnie nicky roni franky vera
victor vic vick viktor
victoria vicky vic tori vicki viki vickie
vincent vin vinnie vince vinny vicente vincenzo
viola vi violet
violet vi
virginia ginny ginger gina virgie jane
vivian viv vi vivien
wallace wally
walter walt wally wat
warren ren
wendell dell wen
wesley wes
wilbur will willie bur
wilfred will fred wilf
wilhelmina mina willie minnie billie wilma
william bill will billy willie liam willy wilhelm guillermo wm guillaume bela willem
wilma mina wil
winfred win fred
winifred winnie freddie win freda
winston win winnie
woodrow woody drew
zachary zach zack zak zac
zachariah zach zack zechariah zeke
ezekiel zeke ez
"""


@cache
def families() -> dict[str, tuple[int, ...]]:
    """Each known form and the numbers of its families."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(line for line in _FAMILIES.splitlines() if line):
        for form in dict.fromkeys(line.split()):
            found.setdefault(form, []).append(number)
    return {form: tuple(numbers) for form, numbers in found.items()}


def same_family(left: str, right: str) -> bool:
    """Say whether two folded given names can be forms of one name.

    >>> same_family("bob", "robert"), same_family("bob", "bill")
    (True, False)
    """
    known = families()
    return not set(known.get(left, ())).isdisjoint(known.get(right, ()))


_ALIKE = 0.85


def distinct_names(given: Iterable[str]) -> list[str]:
    """Return one given name of each group of spellings, short forms and equal beginnings.

    >>> distinct_names(["ann", "anna", "elizabeth", "liz", "peter", "petre"])
    ['ann', 'elizabeth', 'peter']
    """
    from rapidfuzz.distance import JaroWinkler

    kept: list[str] = []
    for name in given:
        if not any(
            JaroWinkler.similarity(name, other) >= _ALIKE
            or same_family(name, other)
            or name.startswith(other)
            or other.startswith(name)
            for other in kept
        ):
            kept.append(name)
    return kept
