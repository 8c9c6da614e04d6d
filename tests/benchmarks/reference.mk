# Links one object of each Stan program to our runner and to a reference. To be read in a Stan home, whose compiler
# and flags it uses: make -C HOME -f THIS FROM=THIS_FOLDER TO=FOLDER_OF_PROGRAMS PROGRAM-ours PROGRAM-reference ...
include makefile

COMPILE = $(CXX) $(STAN_FLAGS) -O$(O) $(QUIET_FLAGS) $(CPPFLAGS) $(CXXFLAGS)
LINK = $(CXX) $(STAN_FLAGS) $^ $(LDFLAGS) $(RPATH_FLAGS) $(STAN_LIBRARIES) $(LDLIBS) -o '$@'
# CmdStan's programs do without threads unless they are asked for.
ALONE = $(filter-out -DSTAN_THREADS,$(COMPILE))

$(TO)/%.o: $(TO)/%.hpp
	@$(COMPILE) -c -x c++ '$<' -o '$@'
$(TO)/%.alone.o: $(TO)/%.hpp
	@$(ALONE) -c -x c++ '$<' -o '$@'
$(TO)/reference_main.o: $(FROM)/reference_main.cpp
	@$(COMPILE) -Wall -Wextra -c '$<' -o '$@'
$(TO)/reference_main.alone.o: $(FROM)/reference_main.cpp
	@$(ALONE) -c '$<' -o '$@'
$(TO)/build_options.o: runner/build_options.cpp
	@$(COMPILE) -c '$<' -o '$@'

$(TO)/%-ours: $(TO)/%.o $(TO)/build_options.o $(RUNNER_OBJECTS)
	@$(LINK)
$(TO)/%-reference: $(TO)/%.o $(TO)/reference_main.o
	@$(LINK)
$(TO)/%-alone: $(TO)/%.alone.o $(TO)/reference_main.alone.o
	@$(LINK)
